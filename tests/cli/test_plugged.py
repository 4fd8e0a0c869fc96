"""Commands that plugins bring: a user's package on the path, one that is broken, and names that are taken."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


HELLO = '''
    from typing import Annotated
    import typer
    from vip.errors import VIPError
    print("imported")

    def hello(whom: str, loud: Annotated[bool, typer.Option("--loud", help="With a mark.")] = False) -> None:
        """Greet somebody."""
        if whom == "nobody":
            raise VIPError("there is nobody")
        if whom == "later":
            raise typer.Exit(75)
        print(f"hello {whom}" + "!" * loud)
'''


def test_a_function(vip, install):
    install("greeting", HELLO, "vip.commands", hello="greeting:hello")
    done = vip("hello", "Ada", "--loud")
    assert (done.returncode, done.stdout, done.stderr) == (0, "imported\nhello Ada!\n", "")
    assert vip("hello", "--", "--loud").stdout == "imported\nhello --loud\n"
    assert vip("hello", "later").returncode == 75


def test_its_help_is_its_own(vip, install):
    install("greeting", HELLO, "vip.commands", hello="greeting:hello")
    shown = vip("hello", "--help")
    assert shown.returncode == 0
    assert "Greet somebody." in shown.stdout
    assert "With a mark." in shown.stdout
    assert "-m vip hello [OPTIONS]" in shown.stdout


def test_its_errors_are_told_as_those_of_vip(vip, install):
    install("greeting", HELLO, "vip.commands", hello="greeting:hello")
    failed = vip("hello", "nobody")
    assert (failed.returncode, failed.stderr) == (1, "vip: there is nobody\n")
    wrong = vip("hello", "Ada", "--quiet")
    assert wrong.returncode == 2
    assert "No such option" in wrong.stderr
    assert "Traceback" not in wrong.stderr


def test_the_help_of_vip_imports_no_plugin(vip, install):
    install("greeting", HELLO, "vip.commands", hello="greeting:hello")
    done = vip("--help")
    assert done.returncode == 0, done.stderr
    assert "imported" not in done.stdout
    assert "From greeting; more: vip hello --help" in done.stdout
    script = "import sys\nfrom vip.cli.main import main\ntry: main()\nfinally: print(*sys.modules)"
    command = [sys.executable, "-c", script, "--help"]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert "locate" in loaded
    assert "vip.forward" not in loaded.split()


@pytest.mark.parametrize(
    "source",
    [
        """
        import click

        @click.command()
        @click.argument("whom")
        @click.option("--loud", is_flag=True)
        def hello(whom, loud):
            print("hello " + whom + "!" * loud)
        """,
        """
        import typer
        hello = typer.Typer()

        @hello.command()
        def ada(loud: bool = False) -> None:
            print("hello Ada" + "!" * loud)

        @hello.command()
        def nobody() -> None:
            print("hello")
        """,
    ],
    ids=["click", "typer"],
)
def test_commands_made_elsewhere(vip, install, source):
    if "import click" in source:
        pytest.importorskip("click", reason="typer may bring its own")
    install("greeting", source, "vip.commands", hello="greeting:hello")
    done = vip("hello", "Ada" if "click" in source else "ada", "--loud")
    assert (done.returncode, done.stdout, done.stderr) == (0, "hello Ada!\n", "")
    wrong = vip("hello", "--quiet")
    assert wrong.returncode == 2
    assert "Traceback" not in wrong.stderr


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import nowhere_to_be_found", "cannot be imported: ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
        ("raise RuntimeError('two\\nlines')", "cannot be imported: RuntimeError: two lines"),
        ("", "cannot be imported: AttributeError"),
        ("hello = 3", "is no command"),
    ],
)
def test_a_broken_one_is_one_line_and_harms_no_other(vip, install, source, reason):
    install("broken", source, "vip.commands", hello="broken:hello")
    install("greeting", HELLO, "vip.commands", good_day="greeting:hello")
    failed = vip("hello", "Ada")
    assert failed.returncode == 2
    assert failed.stderr.startswith(f"vip: command hello: broken:hello: {reason}")
    assert failed.stderr.count("\n") == 1
    assert vip("good_day", "Ada").stdout == "imported\nhello Ada\n"
    listed = vip("--help")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "good_day" in listed.stdout


def test_a_name_that_is_taken_is_refused_with_a_line(vip, install):
    """By vip, by a command of our plugins, or by another's package; the first stays what it was."""
    install("aaa", HELLO, "vip.commands", plugins="aaa:hello", locate="aaa:hello", hello="aaa:hello")
    install("greeting", HELLO, "vip.commands", hello="greeting:hello")
    done = vip("plugins")
    assert done.returncode == 0
    assert "tomo2d" in done.stdout
    assert done.stderr.splitlines() == [
        "vip: command hello of greeting (greeting:hello) is left out: aaa has a command of this name",
        "vip: command locate of aaa (aaa:hello) is left out: vip-inversion has a command of this name",
        "vip: command plugins of aaa (aaa:hello) is left out: vip itself has a command of this name",
    ]
    assert "imported" not in vip("locate", "--help").stdout


def test_a_new_plugin_shows_how(vip, tmp_path):
    """With the example in its pyproject.toml in use, the file is valid, and names a command."""
    assert vip("plugins", "new", "bore_hole").returncode == 0
    text = (tmp_path / "bore_hole" / "pyproject.toml").read_text()
    used = re.sub(r"^# (?=\[project|bore_hole = )", "", text, flags=re.MULTILINE)
    commands = tomllib.loads(used)["project"]["entry-points"]["vip.commands"]
    assert commands == {"bore_hole": "bore_hole.command:bore_hole"}


def test_the_command_line_names_no_plugin():
    names = [folder.name for folder in (ROOT / "forward").iterdir() if folder.is_dir() and any(folder.glob("plugin.py"))]
    assert "hypocenter" in names
    for file in (ROOT / "vip" / "cli").glob("*.py"):
        text = file.read_text(encoding="utf-8")
        assert not [name for name in names if f"forward.{name}" in text or f'"{name}"' in text], file.name
        assert "british" not in text
