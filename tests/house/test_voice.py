"""A description can be read alone: none begins in the middle of a sentence, as in "Of a bootstrap"."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("vip", "forward", "kernels_c", "jobs", "benchmarks", "examples", "tests", "docs/hooks")
FRAGMENT = re.compile(r"\A\s*Of |^ *[\w, *]+ : .*\n +Of ", re.M)
"""The beginning of a text, or of the description of a parameter, attribute or result in it."""


def texts(source):
    """Docstrings, those of attributes included, and the descriptions of fields and options, as nodes."""
    for node in ast.walk(ast.parse(source)):
        described = isinstance(node, ast.Expr) or (isinstance(node, ast.keyword) and node.arg in ("description", "help"))
        if described and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value


def fragments(source):
    """Lines of the texts that begin, or describe something, with a fragment."""
    return [node.lineno for node in texts(source) if FRAGMENT.search(node.value)]


@pytest.mark.parametrize("room", ROOMS)
def test_descriptions_can_be_read_alone(room):
    files = sorted((ROOT / room).rglob("*.py"))
    found = [f"{file.relative_to(ROOT)}:{line}" for file in files for line in fragments(file.read_text(encoding="utf-8"))]
    assert files
    assert not found, "a description is a sentence or a noun phrase of its own: " + ", ".join(found)


@pytest.mark.parametrize("file", sorted((ROOT / "kernels_c").rglob("*.pyx")), ids=lambda file: file.stem)
def test_docstrings_of_cython_can_be_read_alone(file):
    docstrings = re.findall(r'"""(.*?)"""', file.read_text(encoding="utf-8"), re.S)
    assert docstrings
    assert not [text for text in docstrings if FRAGMENT.search(text)]


EXAMPLE = '''"""Of a module."""

N = 1
"""Of a bootstrap."""
SIZE = Field(description="Of a map.")


class A:
    """Offers of all kinds.

    Of many things it has a few.

    Parameters
    ----------
    n : int
        Number of them.
    """

    def f(self, n):
        """
        Of it.
        """

    def g(self, n):
        """Result.

        Parameters
        ----------
        n, m : int
            Of it.
        """
'''


def test_fragments_are_found():
    assert fragments(EXAMPLE) == [1, 4, 5, 20, 25]
