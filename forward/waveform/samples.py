"""Samples of the posterior as a table: place, time and whatever else is unknown, each with a moment tensor."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from vip.files import whole
from vip.forward.waveform.elementary import TENSOR
from vip.forward.waveform.solved import Solved
from vip.forward.waveform.tensors import magnitude
from vip.protocols import Floats
from vip.rng import Purpose, stream


def drawn_tensors(forward: Solved, models: Floats) -> Floats:
    """Moment tensors (n, 6), N m, of samples (n, d): the same ones each time."""
    return forward.tensors(models, stream(0, 0, Purpose.DRAW))


def write_samples(forward: Solved, models: Floats, file: Path) -> None:
    """Write samples (n, d) as CSV, a row each; lengths in m, times in s, components in N m along x, y and depth."""
    names = []
    for variable in forward.space.variables:
        labels = [str(label) for label in variable.coords[variable.dims[0]]] if variable.dims else []
        names += [f"{variable.name} {label}" for label in labels] or [variable.name]
    tensors = drawn_tensors(forward, models)
    table = pd.DataFrame(models, columns=names)
    if "magnitude" not in names:
        table["magnitude"] = magnitude(tensors)
    table[[f"m{name}" for name in TENSOR]] = tensors
    with whole(file) as part:
        table.to_csv(part, index=False, float_format="%.9g")
