"""Errors that a user may meet, each with a message of one line. This module imports nothing else of the package.

Every error that a user can cause or cure is a `VIPError`; the command line prints its message and exits with its code.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any


class VIPError(Exception):
    """Root of all errors of this package."""

    exit_code = 1


class ConfigError(VIPError, ValueError):
    """A configuration or input file is wrong; the message names file, key, value and what would be right.

    Parameters
    ----------
    key : str
        Dotted name in the configuration, or the place in a data file ("row 12, column sigma").
    value : Any
        The value that was found.
    remedy : str
        What the value should be.
    file : Path, optional
        The file; added later by the caller that knows it.

    Examples
    --------
    >>> print(ConfigError("seed", -1, "must not be negative", Path("x.toml")))
    x.toml: seed: -1: must not be negative
    """

    exit_code = 2

    def __init__(self, key: str, value: Any, remedy: str, file: Path | str | None = None) -> None:
        self.key, self.value, self.remedy, self.file = key, value, remedy, file
        super().__init__(key, value, remedy, file)

    def __str__(self) -> str:
        shown = str(self.value) if isinstance(self.value, str | Path) else repr(self.value)
        parts = [str(self.file) if self.file else "", self.key, shown[:200], self.remedy]
        return ": ".join(part for part in parts if part)


class ConfigErrors(ConfigError):
    """Several faults of one configuration, one line each."""

    def __init__(self, errors: Sequence[ConfigError]) -> None:
        self.errors = list(errors)
        first = self.errors[0]
        super().__init__(first.key, first.value, first.remedy, first.file)

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)


class StoreError(VIPError):
    """A run directory cannot be read, written or continued."""


class CitationError(VIPError):
    """A paper is named for which there is no reference."""


class ForwardError(VIPError):
    """The forward code failed for some particles.

    Parameters
    ----------
    reasons : dict of int to str
        Why each failed particle failed, by its number.
    others : tuple of arrays, optional
        Log-likelihoods (n,) and gradients (n, d), nan in the rows of particles that failed: from a forward that evaluates
        particles one by one, so that none needs to be evaluated again.

    Attributes
    ----------
    models : (n, d) float
        All models of the evaluation that failed, in physical units; added by the loop.
    saved : str
        Where these models were saved; added by the code that saves them.
    """

    def __init__(self, reasons: dict[int, str], others: tuple[Any, Any] | None = None) -> None:
        self.reasons, self.others = reasons, others
        self.models: Any = None
        self.saved = ""
        super().__init__(reasons)

    def __str__(self) -> str:
        particle, reason = next(iter(self.reasons.items()))
        others = len(self.reasons) - 1
        more = f" (and {others} more)" if others else ""
        return f"forward: particle {particle}: {reason.splitlines()[0]}{more}{self.saved}"


class AlgorithmError(VIPError):
    """An algorithm cannot go on, for instance because its step is too large."""


class DispatchError(VIPError):
    """Particles cannot be evaluated, because workers are missing or keep dying. The run can be resumed."""


class Interrupted(VIPError):
    """The run was asked to end at once, while particles were being evaluated."""


class SchedulerError(VIPError):
    """A job scheduler refused, or cannot be reached."""
