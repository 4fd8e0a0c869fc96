"""The documentation says what is there: pages made from the code, links, and examples as far as they need no run."""

import ast
import importlib
import re
import shlex
import tomllib
from pathlib import Path
from typing import Annotated, Literal, get_args

import numpy as np
import pytest
from pydantic import BaseModel, Field, TypeAdapter

import vip
from vip.config import DispatchSettings, PriorSettings, RunSettings, read_method
from vip.jobs.site import Site
from vip.methods import BUILT_IN, named

ROOT = Path(__file__).parents[2]
WRITTEN = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PLUGINS = {file.parent.name: f"vip.forward.{file.parent.name}.settings" for file in ROOT.glob("forward/*/settings.py")}


@pytest.fixture
def hook(monkeypatch):
    """A module of ``docs/hooks`` by its name."""
    monkeypatch.syspath_prepend(ROOT / "docs" / "hooks")
    return importlib.import_module


def settings_classes():
    """Every settings class that is no mere base of others; those of a proposal's samples are in no file."""
    for name in BUILT_IN:
        named(name)
    for module in PLUGINS.values():
        importlib.import_module(module)
    found = BaseModel.__subclasses__()
    for each in found:  # which grows on the way
        found += each.__subclasses__()
    ours = [
        each for each in found if each.__module__.split(".")[0] == "vip" and not each.__module__.startswith("vip.amortised")
    ]
    return sorted({each for each in ours if not each.__subclasses__()}, key=str)


def blocks(file, language):
    """The fenced blocks of a language in a page, without their indentation."""
    found = re.findall(rf"^( *)```{language}\b[^\n]*\n(.*?)^ *```$", file.read_text(encoding="utf-8"), re.M | re.S)
    return [re.sub(rf"^{indent}", "", text, flags=re.M) for indent, text in found]


def every_block(language):
    """Parameters for the blocks of all pages, with a name that says where they are."""
    named = [(f"{file.name}-{i}", text) for file in WRITTEN for i, text in enumerate(blocks(file, language), 1)]
    return [pytest.param(text, id=name) for name, text in named if "--8<--" not in text]


@pytest.mark.parametrize("settings", settings_classes(), ids=lambda settings: settings.__name__)
def test_every_key_is_in_the_reference(hook, settings):
    page = hook("configuration_page")
    shown = {section.settings: page.text(section) for section in page.sections()}
    assert settings in shown, "it is not reached from Config or its plugin's settings"
    for key in (field.alias or key for key, field in settings.model_fields.items()):
        assert f"\n| `{key}` | " in shown[settings]


class Example(BaseModel):
    """A table.

    Attributes
    ----------
    count, other : int
        How many,
        at most.
    """

    count: Annotated[int, Field(ge=2)] | Literal["all"] = "all"
    other: int
    files: tuple[Path, ...] = ()
    said: bool = Field(False, description="By the field | itself.")


def test_types_limits_defaults_and_meanings_are_those_of_the_fields(hook):
    page = hook("configuration_page")
    assert page.text(page.Section(2, "[x]", Example)).split("\n")[3:] == [
        "A table.",
        "",
        "| Key | Type | Default | Meaning |",
        "| --- | --- | --- | --- |",
        '| `count` | integer ≥ 2 or `"all"` | `"all"` | How many, at most. |',
        "| `other` | integer | **required** | How many, at most. |",
        "| `files` | [path, ...] | `[]` |  |",
        "| `said` | `true` or `false` | `false` | By the field \\| itself. |",
        "",
        "",
    ]


def test_every_command_is_on_its_page(hook):
    page = hook("commands_page")
    text = page.page()
    for name, command in page.commands().items():
        section = text.split(f"\n## vip {name}\n")[1].split("\n## ")[0]
        for option in page.options(command):
            assert f"`{option.opts[0]}`" in section


def test_every_module_is_in_the_python_reference(hook):
    text = "".join(text for _, _, text in hook("api_pages").pages())
    for file in [*ROOT.glob("vip/*.py"), *ROOT.glob("vip/algorithms/*.py"), *ROOT.glob("vip/dispatch/*.py")]:
        if not file.stem.startswith("_"):
            name = ".".join(file.relative_to(ROOT).with_suffix("").parts)
            assert text.count(f"::: {name}\n") == 1, name


def test_every_example_is_in_the_gallery(hook):
    text = hook("gallery_page").page()
    for file in ROOT.glob("examples/*/*.toml"):
        assert f'--8<-- "{file.relative_to(ROOT).as_posix()}"' in text


def test_links_lead_somewhere(hook):
    generated = hook("pages").generated()
    pages = {file: file.read_text(encoding="utf-8") for file in WRITTEN}
    pages |= {ROOT / "docs" / path: text for path, text in generated.items()}
    for file, text in pages.items():
        without_code = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.S)
        for target in re.findall(r"\]\(([^)#\s]+)", without_code):
            if "://" not in target:
                there = (file.parent / target).resolve()
                assert there.exists() or there in pages, f"{file}: {target}"
        for target, section in re.findall(r'--8<-- "([^":]+):?([^"]*)"', text):
            assert (ROOT / target).is_file(), f"{file}: {target}"
            assert not section or f"[start:{section}]" in (ROOT / target).read_text(encoding="utf-8"), f"{file}: {section}"


@pytest.mark.parametrize("text", every_block("toml"))
def test_configurations(text):
    tables = tomllib.loads(text)
    if "scheduler" in tables:
        Site(**tables)
        return
    if ":" not in tables.get("algorithm", {}).get("name", ":"):  # a user's own class is not here to be read
        read_method(tables["algorithm"], ROOT)
    for key, settings in {"dispatch": DispatchSettings, "run": RunSettings}.items():
        if key in tables:
            TypeAdapter(settings).validate_python(tables[key])
    for prior in tables.get("prior", {}).values():
        TypeAdapter(PriorSettings).validate_python(prior)
    check_forward(tables.get("forward", {}))


def check_forward(table):
    """Check the names of the keys of a plugin of ours, and of the tables in it; excerpts need not be complete."""
    module = PLUGINS.get(table.get("plugin"))
    if module is None:
        return
    classes = [each for each in settings_classes() if each.__module__ == module]
    known = [each.model_fields for each in classes if set(table) - {"plugin"} <= set(each.model_fields)]
    assert known, ", ".join(table)
    for key, inner in table.items():
        if isinstance(inner, dict):
            annotation = known[0][key].annotation
            kinds = [kind for kind in get_args(annotation) or [annotation] if hasattr(kind, "model_fields")]
            assert any(set(inner) <= set(kind.model_fields) for kind in kinds), f"{key}: {', '.join(inner)}"


@pytest.mark.parametrize("text", every_block("python"))
def test_python(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "vip":
            assert hasattr(vip, node.attr)


@pytest.mark.parametrize("file", [ROOT / "README.md", ROOT / "docs" / "tutorials" / "objects.md"], ids=lambda file: file.name)
def test_python_runs(file, tmp_path, monkeypatch):
    """The blocks of a page, one after the other as a reader would run them; the truth is among what they find."""
    monkeypatch.chdir(tmp_path)
    page = {"__name__": "page"}
    for text in blocks(file, "python"):
        exec(compile(text, str(file), "exec"), page)
    result = page["result"]
    assert np.all(np.abs(result.mean_model - page["truth"]) < 4 * result.std_model)


@pytest.mark.parametrize("text", every_block("sh"))
def test_commands(hook, text):
    page = hook("commands_page")
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["make"]:
            assert words[1] in targets
        if words[:2] == ["pip", "install"]:
            assert all(extra in extras for word in words for extra in re.findall(r"\[(\w+)\]", word))
        if "vip" in words:
            _, name, *arguments = words[words.index("vip") :]
            alike = [command for each, command in page.commands().items() if each.split()[0] == name]
            options = [opt for command in alike for option in page.options(command) for opt in option.opts]
            assert alike
            assert all(word in options for word in arguments if word.startswith("-"))


@pytest.mark.parametrize("file", WRITTEN, ids=lambda file: file.name)
def test_commands_in_the_text(hook, file):
    named = re.findall(r"`vip ([a-z]+)", file.read_text(encoding="utf-8"))
    assert set(named) <= {command.split()[0] for command in hook("commands_page").commands()}
