"""`vip report` of directories that a plugin made: its command is called with its own options; runs stay with `vip`."""

REPORT = '''
    from pathlib import Path
    from typing import Annotated
    import typer
    from vip.errors import VIPError

    def report(directory: Path, truth: Annotated[Path | None, typer.Option("--truth", help="Known answers.")] = None) -> None:
        """Draw soundings."""
        if truth == Path("none"):
            raise VIPError("there is no truth")
        print(f"soundings of {directory.name} beside {truth}")
'''


def installed(install, tmp_path):
    install("drawing", REPORT, "vip.reports", sounding="drawing:report")
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "sounding.json").write_text("{}")


def test_a_directory_with_the_mark_is_the_plugins(vip, install, tmp_path):
    installed(install, tmp_path)
    done = vip("report", "--truth", "known", "there")
    assert (done.returncode, done.stdout, done.stderr) == (0, "soundings of there beside known\n", "")
    shown = vip("report", "there", "--help")
    assert "Draw soundings." in shown.stdout
    assert "-m vip report [OPTIONS]" in shown.stdout


def test_its_errors_are_told_as_those_of_vip(vip, install, tmp_path):
    installed(install, tmp_path)
    failed = vip("report", "there", "--truth", "none")
    assert (failed.returncode, failed.stderr) == (1, "vip: there is no truth\n")
    wrong = vip("report", "there", "--workers", "2")
    assert wrong.returncode == 2
    assert "No such option" in wrong.stderr


def test_other_directories_are_runs(vip, install, tmp_path):
    installed(install, tmp_path)
    (tmp_path / "there" / "sounding.json").unlink()
    failed = vip("report", "there")
    assert failed.returncode != 0
    assert failed.stderr.startswith("vip: there")
    assert "Known answers." not in vip("report", "--help").stdout


def test_a_report_that_cannot_be_imported_is_one_line(vip, install, tmp_path):
    install("drawing", "import no_such_module", "vip.reports", sounding="drawing:report")
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "sounding.json").write_text("{}")
    failed = vip("report", "there")
    assert (failed.returncode, failed.stderr.count("\n")) == (2, 1)
    assert "mend or uninstall drawing" in failed.stderr
