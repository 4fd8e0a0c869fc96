"""Print the oldest versions that pyproject.toml allows, as constraints for pip.

``python tests/oldest.py > oldest.txt && pip install --constraint oldest.txt .`` installs exactly those.
"""

import re
import tomllib
from pathlib import Path


def oldest(requirements):
    """Lower bounds as exact versions.

    >>> oldest(["numpy>=2.0", "mkdocstrings[python]>=1.0"])
    ['numpy==2.0', 'mkdocstrings==1.0']
    """
    return [re.sub(r"^([\w.-]+)(?:\[.*\])?>=", r"\1==", requirement) for requirement in requirements]


if __name__ == "__main__":
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    print("\n".join(oldest(project["dependencies"])))
