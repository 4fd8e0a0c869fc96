"""A forward whose machine or physics fails as its settings say; tests copy it beside a configuration."""

import ctypes
import os
import signal
import time
from pathlib import Path

import numpy as np

from vip.protocols import ModelSpace, Variable


class Troubled:
    """Independent Gaussians around 1, 2, ...; no sums over particles, so that grouping cannot matter.

    The machine's troubles come to the first `times` evaluations, counted by files in the configuration's folder, that a process
    makes after `after` others of its own. Bad physics is that of particles whose first entry is larger than `limit`.
    """

    def __init__(self, base_dir, ndim=6, trouble="", times=1, after=2, seconds=0.0, limit=2.5):
        self.space = ModelSpace((Variable("x", "km/s", ("i",), {"i": np.arange(float(ndim))}),))
        self.ndim, self.base_dir, self.trouble, self.times, self.after = ndim, base_dir, trouble, times, after
        self.seconds, self.limit, self.calls = seconds, limit, 0

    @classmethod
    def from_settings(cls, settings, base_dir):
        return cls(Path(base_dir).resolve(), **settings)

    def __call__(self, models):
        self.calls += 1
        time.sleep(self.seconds * len(models))
        residuals = np.arange(1.0, self.ndim + 1) - models
        value, gradient = -0.5 * (residuals**2).sum(axis=1), residuals
        if self.trouble in PHYSICS:
            return PHYSICS[self.trouble](value, gradient, models[:, 0] > self.limit)
        if self.trouble and self.calls > self.after and self._is_my_turn():
            MACHINE[self.trouble]()
        return value, gradient

    def _is_my_turn(self):
        if os.environ.get("PMI_RANK") == "0":  # the rank that runs the algorithm
            return False
        for turn in range(self.times):
            try:
                os.close(os.open(self.base_dir / f"trouble-{turn}", os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                continue
            return True
        return False


def _die():
    os.kill(os.getpid(), signal.SIGKILL)


def _hang_with_the_interpreters_lock():
    ctypes.PyDLL(None).sleep(1000)


def _fill_memory():
    hoard = []
    while len(hoard) < 400:
        hoard.append(np.ones(2_000_000))
        time.sleep(0.01)


def _raise(value, gradient, bad):
    if bad.any():
        raise ValueError("negative velocity")
    return value, gradient


def _nan(value, gradient, bad):
    return np.where(bad, np.nan, value), gradient


def _die_of(value, gradient, bad):
    if bad.any():
        os.kill(os.getpid(), signal.SIGKILL)
    return value, gradient


def _wrong_shape(value, gradient, bad):
    return (value[:, None], gradient) if bad.any() else (value, gradient)


MACHINE = {
    "die": _die,
    "hang": lambda: time.sleep(1000),
    "hang with lock": _hang_with_the_interpreters_lock,
    "memory": _fill_memory,
}
PHYSICS = {"raise": _raise, "nan": _nan, "shape": _wrong_shape, "deadly": _die_of}
