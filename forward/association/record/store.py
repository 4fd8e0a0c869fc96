"""What a stream keeps: pieces of the input, what was learned of them, and finished windows; here without a directory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
import pandas as pd

from vip.forward.association.record.pieces import Piece
from vip.forward.association.record.windows import Window
from vip.forward.association.window.learning import Learned


class Basis(NamedTuple):
    """What is taken from the picks as a whole, once, before events are sought."""

    reference: np.datetime64
    """Time, UTC, in microseconds, from which times and windows are counted: a multiple of the windows' length."""
    pairs: list[tuple[int, str]]
    """Station, by its index among all, and phase of each channel."""
    probability: float
    """Mean of the probabilities that the picker gives."""
    density: float
    """Events that are expected, 1/(km^3 s)."""
    rate: float
    """Picks of a channel, 1/s, in the middle of them."""
    learned: Learned


class LearnedTimes(NamedTuple):
    """Speeds and station corrections that were learned, as tables that an association may be given."""

    speed: pd.DataFrame | None = None
    stations: pd.DataFrame | None = None


class Store(Protocol):
    """Where pieces and windows are kept, each as a whole."""

    times: LearnedTimes | None
    basis: Basis | None
    finished: bool

    def pieces(self, first: int = 0, end: int | None = None) -> Iterator[Piece]:
        """Pieces in their order, from one to before another."""

    def windows(self, first: float = -np.inf, last: float = np.inf) -> Iterator[Window]:
        """Finished windows in their order, by the first and last number; their picks are rows of the whole input."""

    def add(self, piece: Piece) -> None:
        """Keep a piece."""

    def keep(self, times: LearnedTimes) -> None:
        """Keep travel times that were learned."""

    def begin(self, basis: Basis) -> None:
        """Keep what was taken from the picks as a whole."""

    def finish(self, window: Window) -> None:
        """Keep a window."""

    def end(self) -> None:
        """Keep that all windows were found."""


def is_read(store: Store) -> bool:
    """Whether all picks of a record were read: something was learned from them."""
    return store.times is not None or store.basis is not None


class Memory:
    """A store without a directory."""

    def __init__(self) -> None:
        self.times: LearnedTimes | None = None
        self.basis: Basis | None = None
        self.finished = False
        self._pieces: dict[int, Piece] = {}
        self._windows: list[Window] = []
        self._added = 0

    def pieces(self, first: int = 0, end: int | None = None) -> Iterator[Piece]:
        """Pieces in their order, from one to before another."""
        return (self._pieces[i] for i in range(first, self._added if end is None else end))

    def forget(self, end: int) -> None:
        """Leave all windows, and the pieces before one."""
        self._windows.clear()
        self._pieces = {i: piece for i, piece in self._pieces.items() if i >= end}

    def windows(self, first: float = -np.inf, last: float = np.inf) -> Iterator[Window]:
        """Finished windows in their order, by the first and last number."""
        return (window for window in self._windows if first <= window.number <= last)

    def add(self, piece: Piece) -> None:
        """Keep a piece."""
        self._pieces[self._added] = piece
        self._added += 1

    def keep(self, times: LearnedTimes) -> None:
        """Keep travel times that were learned."""
        self.times = times

    def begin(self, basis: Basis) -> None:
        """Keep what was taken from the picks as a whole."""
        self.basis = basis

    def finish(self, window: Window) -> None:
        """Keep a window."""
        self._windows.append(window)

    def end(self) -> None:
        """Keep that all windows were found."""
        self.finished = True
