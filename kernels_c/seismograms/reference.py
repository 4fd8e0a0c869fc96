"""The lookup of seismograms.h in plain NumPy: slow, written to be read and to hold the native kernel to."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vip.kernels_c.door import Floats

AROUND = np.arange(4)


def splines(u: Floats) -> tuple[Floats, Floats]:
    """Cubic B-splines (..., 4) at fractions u of the way from one node to the next, and their derivatives."""
    f, g = u, 1 - u
    weight = [g**3, 4 - 3 * f**2 * (1 + g), 4 - 3 * g**2 * (1 + f), f**3]
    slope = [-(g**2) / 2, f * (1.5 * f - 2), g * (2 - 1.5 * g), f**2 / 2]
    return np.stack(weight, axis=-1) / 6, np.stack(slope, axis=-1)


def mixed(values: Floats, mix: Floats) -> Floats:
    """Components (6, ...) of which zz, yz and xz are made of smooth ones by factors (4,), see seismograms.h."""
    made = values.copy()
    made[2] = mix[1] * values[2] - mix[0] * (values[0] + values[1])
    made[3], made[4] = mix[2] * values[3], mix[3] * values[4]
    return made


def lookup(
    coefficients: NDArray[np.float32],
    basis: NDArray[np.float32],
    places: ArrayLike,
    first: ArrayLike,
    per_knot: int,
    samples: int,
    gain: ArrayLike,
    slopes: tuple[ArrayLike, ArrayLike, ArrayLike] | None = None,
    mix: tuple[ArrayLike, ArrayLike] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Twin of the native `Seismograms(coefficients, basis, per_knot, samples).lookup`, whose docstrings apply."""
    place, begin, amplitude = (np.asarray(values, float) for values in (places, first, gain))
    shape, rank, knots = np.array(coefficients.shape[:3]), coefficients.shape[-1], basis.shape[1]
    cell = np.minimum(np.floor(place).astype(int), shape - 4)
    weight, slope = splines(place - cell)
    time = begin[:, None] + np.arange(samples) / per_knot
    knot = np.floor(time).astype(int)
    in_time, rate_in_time = splines(time - knot)
    near = knot[..., None] + AROUND - 1
    in_time, rate_in_time = (np.where((near >= 0) & (near < knots), w, 0) for w in (in_time, rate_in_time))
    near = np.clip(near, 0, knots - 1)
    traces = np.empty((len(place), 6, samples), np.float32)
    moved = np.empty((len(place), 6, samples, 3), np.float32) if slopes else None
    for i, (x, y, z) in enumerate(cell):
        around = coefficients[x : x + 4, y : y + 4, z : z + 4].astype(float).reshape(4, 4, 4, 6, rank)
        plain = np.einsum("i,j,k,ijkcr->cr", *weight[i], around)
        wave = (plain if mix is None else mixed(plain, np.asarray(mix[0])[i])) @ basis.astype(float)
        trace = (wave[:, near[i]] * in_time[i]).sum(axis=-1)
        traces[i] = amplitude[i] * trace
        if slopes is None or moved is None:
            continue
        per_metre, first_slope, gain_slope = (np.asarray(values, float) for values in slopes)
        rate = (wave[:, near[i]] * rate_in_time[i]).sum(axis=-1)
        for a in range(3):
            weights = [slope[i, b] if a == b else weight[i, b] for b in range(3)]
            changed = per_metre[a] * np.einsum("i,j,k,ijkcr->cr", *weights, around)
            if mix is not None:
                changed = mixed(changed, np.asarray(mix[0])[i])
                changed[2:5] += mixed(plain, np.asarray(mix[1])[i, :, a])[2:5]
            change = changed @ basis.astype(float)
            change = (change[:, near[i]] * in_time[i]).sum(axis=-1) + first_slope[i, a] * rate
            moved[i, ..., a] = amplitude[i] * change + gain_slope[i, a] * trace
    return traces, moved
