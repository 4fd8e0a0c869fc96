"""What all methods do before their own part: check the traces, learn the peaks, bring the shapes together."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from vip.errors import ConfigError
from vip.forward.neural.device import torch_threads
from vip.forward.waveform.emulators import gaussian
from vip.forward.waveform.emulators.alignment import peaks, shifted
from vip.forward.waveform.emulators.emulator import About, inputs_of, numbers
from vip.protocols import Floats

FEWEST = 20
"""Least number of traces to train on."""
LEAST_DELAY, LEAST_FACTOR = 0.5, 0.05
"""Samples, and logarithm of the height, by which a peak may always be off what its neighbours say."""
PARTS = ((0, 1, 2, 3),)
"""Kernel of the paper: one part of x, y, depth and distance."""


class Prepared(NamedTuple):
    """Traces that are ready for a method.

    Attributes
    ----------
    about : About
    tensors : dict of str to tensor
        The tensors that all emulators have.
    shapes : (n, window) float32 tensor
    height : float
        Height of the peak of the reference trace.
    """

    about: About
    tensors: dict[str, Any]
    shapes: Any
    height: float


def checked(positions: Floats, traces: Floats, receiver: Floats) -> tuple[Floats, Floats, Floats]:
    """Positions (n, 3), traces (n, samples) and receiver (3,) as arrays; a place that comes twice with one trace comes once.

    Raises
    ------
    ConfigError
        If shapes do not fit, numbers are not finite, a trace has no positive sample, or one place has two traces.
    """
    places, data, at = numbers("positions", positions), numbers("traces", traces), numbers("receiver", receiver)
    if places.ndim != 2 or places.shape[1] != 3:
        raise ConfigError("positions", f"of shape {places.shape}", "must be of shape (n, 3): x, y and depth, m")
    if data.ndim != 2 or len(data) != len(places) or data.shape[1] < 4:
        raise ConfigError("traces", f"of shape {data.shape}", f"must be of shape ({len(places)}, samples), one row a position")
    if at.shape != (3,) or not np.isfinite(at).all():
        raise ConfigError("receiver", at.tolist(), "must be x, y and depth, m")
    for key, wrong, remedy in (
        ("positions", ~np.isfinite(places).all(1), "must be finite"),
        ("traces", ~np.isfinite(data).all(1), "has a sample that is not finite"),
        ("traces", ~(data > 0).any(1), "has no positive sample, and so no peak"),
    ):
        if wrong.any():
            raise ConfigError(key, f"row {int(wrong.argmax())}", remedy)
    _, first, of = np.unique(places, axis=0, return_index=True, return_inverse=True)
    other = (data != data[first[of.ravel()]]).any(1)
    if other.any():
        row = int(other.argmax())
        remedy = f"is where row {first[of.ravel()[row]]} is, but their traces differ: leave one of them out"
        raise ConfigError(f"positions: row {row}", places[row].tolist(), remedy)
    rows = np.sort(first)
    if len(rows) < FEWEST:
        raise ConfigError("positions", f"{len(rows)} different ones", f"must be at least {FEWEST}")
    flat = np.ptp(places[rows], axis=0) == 0
    if flat.any():
        raise ConfigError("positions", f"one and the same {'xyz'[int(flat.argmax())]}", "sources must differ in x, y and depth")
    return places[rows], data[rows], at


def as_json(parts: gaussian.Parts) -> list[list[int]]:
    """Parts of a kernel as lists, as they are after they were read back."""
    return [list(part) for part in parts]


def inputs_and_box(places: Floats, receiver: Floats) -> tuple[dict[str, Any], list[list[float]]]:
    """Tensors of the inputs, all of double precision, and the box of the places."""
    import torch

    raw = {"receiver": torch.tensor(receiver), "centre": torch.zeros(4).double(), "scale": torch.ones(4).double()}
    inputs = inputs_of(torch.tensor(places), raw)
    tensors = {"receiver": raw["receiver"], "centre": inputs.mean(0), "scale": inputs.std(0)}
    tensors["inputs"] = (inputs - tensors["centre"]) / tensors["scale"]
    return tensors, np.stack([places.min(0), places.max(0)], 1).tolist()


def prepared(positions: Floats, traces: Floats, receiver: Floats, seed: int, whole: bool) -> Prepared:
    """Traces as the paper prepares them: to the height and time of the peak of one trace, drawn at random (sec. 2.1).

    Raises
    ------
    ConfigError
        As for `checked`.
    """
    import torch

    places, data, at = checked(positions, traces, receiver)
    time, height = peaks(data, whole)
    reference = int(np.random.default_rng(seed).integers(len(data)))
    peak, samples = round(time[reference]), data.shape[1]
    with torch_threads(1):
        tensors, box = inputs_and_box(places, at)
        for name, field in (("time", time), ("height", height)):
            process = gaussian.fit(PARTS, tensors["inputs"], torch.tensor(field)[:, None], seed)
            tensors |= process.tensors(name)
        shapes = shifted(torch.tensor(data / height[:, None]), torch.tensor(peak - time), samples).float()
    about = About(box, at.tolist(), samples, samples, peak, whole, as_json(PARTS), {})
    return Prepared(about, tensors, shapes, float(height[reference]))


def smoothed(positions: Floats, traces: Floats, receiver: Floats, seed: int) -> Prepared:
    """Traces that are moved and scaled by smooth functions of the place, the same that a prediction uses.

    Where the largest peak jumps to another arrival, the functions do not follow: what they leave over, the shapes have. Nothing
    of a trace is cut off.

    Raises
    ------
    ConfigError
        As for `checked`.
    """
    import torch

    places, data, at = checked(positions, traces, receiver)
    time, height = peaks(data, whole=False)
    with torch_threads(1):
        tensors, box = inputs_and_box(places, at)
        found = []
        for name, field, least in (("time", time, LEAST_DELAY), ("height", np.log(height), LEAST_FACTOR)):
            process = gaussian.fit_most(PARTS, tensors["inputs"], torch.tensor(field)[:, None], seed, least)
            tensors |= process.tensors(name)
            found.append(process(tensors["inputs"])[:, 0])
        peak = int(found[0].max()) + 1
        window = peak + data.shape[1] - int(found[0].min())
        shapes = shifted(torch.tensor(data) / found[1].exp()[:, None], peak - found[0], window).float()
    about = About(box, at.tolist(), data.shape[1], window, peak, False, as_json(PARTS), {"logarithm": True})
    return Prepared(about, tensors, shapes, float(np.median(height)))
