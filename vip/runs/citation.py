"""Papers that a run rests on, as BibTeX: those of its method, forward and data, and of this package."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources

from vip.errors import CitationError
from vip.protocols import Cites
from vip.runs.inversion import load_run
from vip.runs.plugins import data_sets
from vip.runs.problem import Problem
from vip.runs.store import Store

ALWAYS = ("vip", "zhang_curtis_2024")
"""Keys to cite for every run: this package, and the paper whose methods it began with."""


def citation(store: Store) -> str:
    """Papers that a run rests on, as BibTeX entries, each once.

    Raises
    ------
    StoreError
        If the run's data files have changed or are gone.
    CitationError
        If a plugin names a paper that is unknown.
    """
    problem = load_run(store)
    return "\n\n".join(entry(paper) for paper in dict.fromkeys((*ALWAYS, *papers(problem), *data_papers(store))))


def papers(problem: Problem) -> tuple[str, ...]:
    """Papers that the method and the forward of a problem name, if they name any."""
    parts = (problem.config.algorithm, problem.forward)
    return tuple(paper for part in parts if isinstance(part, Cites) for paper in part.papers)


def data_papers(store: Store) -> Iterable[str]:
    """Papers of the public data sets that a run's files come from, which are recognised by their checksums."""
    used = {f"sha256:{checksum}" for checksum in store.provenance["inputs"].values()}
    for data_set in data_sets().values():
        if used & set(data_set.files.values()):
            yield from data_set.papers


def entry(paper: str) -> str:
    """The BibTeX entry of a paper, given by a key of this package's references, or as the entry that a plugin wrote.

    Raises
    ------
    CitationError
        If there is no such key.

    Examples
    --------
    >>> entry("zhao_curtis_2024").splitlines()[0]
    '@misc{zhao_curtis_2024,'
    """
    if paper.lstrip().startswith("@"):
        return paper.strip()
    if paper not in references():
        raise CitationError(f"papers: {paper!r}: no such reference; give a key of vip/references.bib, or a whole BibTeX entry")
    return references()[paper]


@cache
def references() -> Mapping[str, str]:
    """Entries of this package's references by their keys."""
    return entries((resources.files("vip") / "references.bib").read_text(encoding="utf-8"))


def entries(text: str) -> dict[str, str]:
    r"""Entries of a BibTeX file by their keys; each begins with ``@`` and ends with ``}`` at the start of a line.

    Examples
    --------
    >>> entries("@misc{a_2020,\n  year = {2020}\n}\n\n@misc{b_2021,\n}")
    {'a_2020': '@misc{a_2020,\n  year = {2020}\n}', 'b_2021': '@misc{b_2021,\n}'}
    """
    return {match[1]: match[0] for match in re.finditer(r"^@\w+\{([^,\s]+),.*?^\}", text, re.M | re.S)}
