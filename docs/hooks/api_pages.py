"""Pages of the Python reference: which module is on which. Modules are found, so that a new one needs no line here."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]


class Group(NamedTuple):
    """Modules on one page: those named, and all below a package ``name.*``; of ``name.*.`` only the packages."""

    title: str
    modules: tuple[str, ...]
    intro: str
    options: str = ""
    """Options of mkdocstrings for these modules."""


GROUPS = (
    Group(
        "Runs",
        ("vip.runs.*",),
        "`vip.load_problem`, `vip.run`, `vip.resume`, `vip.Problem`, `vip.Result` and `vip.Store` are what is here.",
    ),
    Group("Contracts", ("vip.protocols.*", "vip.errors"), "What plugins, algorithms and dispatchers promise each other."),
    Group(
        "From prior to posterior", ("vip.inference.*",), "What turns a forward code into the log-density that algorithms see."
    ),
    Group("Methods", ("vip.methods.*",), "Settings of each method, and how its algorithm is built."),
    Group("Algorithms", ("vip.algorithms.*",), "One method a file, as pure functions from state to state."),
    Group("Dispatch", ("vip.dispatch.*",), "Who evaluates the particles."),
    Group("Diagnostics", ("vip.diagnose.*",), "Whether a forward is sound before a run, and its samples are right after it."),
    Group("Configuration", ("vip.config.*",), "Every key is on a [page of its own](../configuration.md)."),
    Group(
        "Forward plugins",
        ("vip.forward.*.", "vip.forward.combine"),
        "The physics. Their settings are in the [configuration](../configuration.md).",
    ),
    Group(
        "Commands of your own",
        ("vip.cli.carry_on", "vip.cli.options"),
        "What a [command that a plugin brings](../tutorials/forward_code.md#a-command-of-its-own) may be made of.",
    ),
    Group(
        "Native kernels",
        ("vip.kernels_c.*.",),
        "C behind NumPy arrays; each has a slow twin in `reference.py`.",
        # compiled classes do not tell their parameters
        "    options: {merge_init_into_class: false, docstring_options: {warn_unknown_params: false}}\n",
    ),
    Group("Schedulers", ("vip.jobs.*",), "SLURM and Grid Engine."),
    Group("The ground", ("vip.*",), "What all rooms stand on."),
)
OUTSIDE = ("forward", "kernels_c", "jobs")
"""Folders beside ``vip`` that are installed inside it."""
LEFT_OUT = ("vip.cli", "vip.report.")
"""Commands have a page of their own, so that only what others use is named above; the figures of a report are no library."""


def pages() -> list[tuple[str, str, str]]:
    """Path, title and text of each page."""
    placed: set[str] = set()
    found = []
    for group in GROUPS:
        modules = [name for pattern in group.modules for name in _matching(pattern) if name not in placed]
        placed.update(modules)
        blocks = "\n".join(f"::: {name}\n{_options(name, modules) or group.options}" for name in modules)
        path = f"api/{group.title.lower().replace(' ', '_')}.md"
        found.append((path, group.title, f"# {group.title}\n\n{group.intro}\n\n{blocks}"))
    return found


def _options(name: str, modules: list[str]) -> str:
    """Options that show a package's own docstring alone, where its modules are on the page too."""
    return "    options: {members: false}\n" if any(other.startswith(f"{name}.") for other in modules) else ""


def _matching(pattern: str) -> list[str]:
    """Public modules of a pattern, see `Group`."""
    package, star, only_packages = pattern.partition(".*")
    parts = package.split(".")
    folder = ROOT.joinpath(*(parts[1:] if parts[1:2] and parts[1] in OUTSIDE else parts))
    if not star:
        return [pattern]
    names = sorted(_name(file) for file in folder.glob("*/__init__.py" if only_packages else "**/*.py"))
    return [name for name in names if name != "vip" and not name.startswith(LEFT_OUT) and "._" not in name]


def _name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    parts = ("vip", *parts) if parts[0] in OUTSIDE else parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
