"""The gallery: every folder of ``examples/`` with what its configurations say of themselves, and figures of the same name."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]

INTRO = """# Gallery

Configurations that run as they are, in the folder `examples/`. Unfold one to read or copy it.
"""


def page() -> str:
    """The whole page."""
    folders = sorted({file.parent for file in ROOT.glob("examples/*/*.toml")})
    return INTRO + "".join(_folder(folder) for folder in folders)


def readmes() -> dict[str, str]:
    """A page for each ``README.md`` of an example; its links to files beside it become plain text."""
    files = {f"examples/{file.parent.name}.md": file.read_text(encoding="utf-8") for file in ROOT.glob("examples/*/README.md")}
    return {path: re.sub(r"\[([^]]+)\]\((?!\w+:)[^)]+\)", r"\1", text) for path, text in files.items()}


def _folder(folder: Path) -> str:
    figures = [f"![{file.stem.replace('_', ' ')}]({file.name})\n" for file in sorted(ROOT.glob(f"docs/{folder.name}*.png"))]
    configurations = [_configuration(file) for file in sorted(folder.glob("*.toml"))]
    sources = [_folded(file) for file in sorted(folder.iterdir()) if file.suffix in (".py", ".c", ".f90")]
    title = folder.name.replace("_", " ").title()
    about = [f"[What is what, and how to use it](examples/{folder.name}.md)\n"] * (folder / "README.md").is_file()
    return "\n".join([f"\n## {title}\n", *about, *figures, *configurations, *sources])


def _configuration(file: Path) -> str:
    return f"### {file.name}\n\n{title_comment(file)}\n\n{_folded(file)}"


def title_comment(file: Path) -> str:
    """The comment at the top of a configuration; its indented lines are commands."""
    lines = []
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        text = line.removeprefix("#")
        if text.startswith("   ") and (not lines or not lines[-1].startswith("    ")):
            lines.append("")
        lines.append(f"    {text.strip()}" if text.startswith("   ") else text.strip())
    return "\n".join(lines)


def _folded(file: Path) -> str:
    name = file.relative_to(ROOT).as_posix()
    language = file.suffix.removeprefix(".").replace("py", "python")
    return f'??? example "`{name}`"\n\n    ```{language}\n    --8<-- "{name}"\n    ```\n'
