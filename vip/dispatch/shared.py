"""Arrays that processes of one machine share, so that models and gradients need not be sent."""

from __future__ import annotations

import itertools
import mmap
import os
import tempfile
from typing import NamedTuple

import numpy as np

from vip.protocols import Floats

NUMBERS = itertools.count()


class Place(NamedTuple):
    """The place where another process of the same user finds shared arrays."""

    path: str
    shape: tuple[int, int]
    number: int
    """Number of these arrays among all that this process has made: a path may be used again."""


class SharedArrays:
    """Models and gradients (n, d) in memory that other processes can open by its `place`.

    The memory has no name that could be left behind: it goes when the process that made it ends, however it ends. Where the
    system has no such memory (outside Linux) it is a file in the temporary folder.

    Examples
    --------
    >>> shared = SharedArrays((2, 3))
    >>> shared.models[:] = 7.0
    >>> open_place(shared.place)[0].sum()
    np.float64(42.0)
    >>> shared.close()
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self._file = None
        size = 2 * 8 * shape[0] * shape[1]
        if hasattr(os, "memfd_create"):
            self._descriptor = os.memfd_create("vip")
            path = f"/proc/{os.getpid()}/fd/{self._descriptor}"
        else:
            self._file = tempfile.NamedTemporaryFile(prefix="vip")  # noqa: SIM115 (closed by close)
            self._descriptor, path = self._file.fileno(), self._file.name
        os.ftruncate(self._descriptor, size)
        self.place = Place(path, shape, next(NUMBERS))
        self.models, self.gradients = open_place(self.place)

    def close(self) -> None:
        """Give the memory back."""
        if self._file is not None:
            self._file.close()
        else:
            os.close(self._descriptor)


def open_place(place: Place) -> tuple[Floats, Floats]:
    """Models (n, d) and gradients (n, d) that another process shares."""
    with open(place.path, "r+b") as file:  # noqa: PTH123 (a path of /proc)
        buffer = mmap.mmap(file.fileno(), 2 * 8 * place.shape[0] * place.shape[1])
    models, gradients = np.frombuffer(buffer, dtype=np.float64).reshape(2, *place.shape)
    return models, gradients
