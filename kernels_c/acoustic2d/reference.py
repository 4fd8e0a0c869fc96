"""The scheme of acoustic2d.h in plain NumPy, float64: slow, written to be read and to hold the native kernel to.

Names are those of the equations in acoustic2d.h. The gradient is not a second scheme: it runs the same steps backward.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from vip.kernels_c.acoustic2d.geometry import Grid, Points, points_between
from vip.kernels_c.door import Floats


class Shot:
    """Grid, sources and receivers; the arguments are those of the native `Shot`, which checks them."""

    def __init__(self, grid: Grid, sources: ArrayLike, receivers: ArrayLike) -> None:
        self.grid = grid
        self.sources = points_between(grid, np.array(sources, float))
        self.receivers = points_between(grid, np.array(receivers, float))


class Waves:
    """Waves of one shot in one model, kept at all time steps."""

    def __init__(self, velocity: ArrayLike, shot: Shot, wavelets: ArrayLike) -> None:
        self.shot, self.velocity = shot, np.array(velocity, float)
        area = shot.grid.spacing[0] * shot.grid.spacing[1]
        u, self.q = _propagate(self.velocity, shot.grid, shot.sources, np.array(wavelets, float) / area)
        self.traces = np.stack([_record(shot.receivers, u_n) for u_n in u])

    def gradient(self, by_trace: ArrayLike) -> Floats:
        """dJ/dv = (2 / v) sum_n w[n] q[n], w the waves of the residuals, run backward in time."""
        grid = self.shot.grid
        backward, _ = _propagate(self.velocity, grid, self.shot.receivers, np.array(by_trace, float)[::-1])
        products = (w * q for w, q in zip(backward[::-1][:-1], self.q, strict=True))
        image: Floats = sum(products, start=0 * backward[0])
        rows = np.clip(np.arange(image.shape[0]) - grid.top, 0, grid.shape[0] - 1)
        columns = np.clip(np.arange(image.shape[1]) - grid.layer, 0, grid.shape[1] - 1)
        gradient = np.zeros(grid.shape)
        np.add.at(gradient, (rows[:, None], columns), image)
        gradient[: grid.known_rows] = 0
        # The image w[n] q[n] pairs the waves that the residual of time n + 1 and later send back to time n.
        return 2 / self.velocity * gradient


def _propagate(velocity: Floats, grid: Grid, sources: Points, wavelets: Floats) -> tuple[list[Floats], list[Floats]]:
    """Wavefields u (n_steps) and q (n_steps - 1), layers included."""
    v = np.pad(velocity, ((grid.top, grid.layer), (grid.layer, grid.layer)), mode="edge")
    courant2 = (v * grid.dt) ** 2
    if grid.free_surface:
        courant2[0] = 0  # u = 0 stays
    d_z, d_x, d_z_half, d_x_half = grid.damping
    d_z, d_z_half = d_z[:, None], d_z_half[:, None]
    second_z, second_x = grid.stencils
    first_z, first_x = grid.staggered
    u_old = u = np.zeros(v.shape)
    p_x, p_z, sum_x, sum_z = (np.zeros(v.shape) for _ in range(4))
    fields, sources_of_waves = [u], []
    for amplitude in wavelets[:-1]:
        p_x, flux_x = _flux(p_x, _half_after(u, first_x, 1), d_x_half)
        p_z, flux_z = _flux(p_z, _half_after(u, first_z, 0), d_z_half)
        x = _second(u, second_x, 1, odd=False) + _half_before(flux_x, first_x, 1)
        z = _second(u, second_z, 0, odd=grid.free_surface) + _half_before(flux_z, first_z, 0)
        q = x + z + d_z * (2 * sum_x + x) + d_x * (2 * sum_z + z)
        sum_x, sum_z = sum_x + x, sum_z + z
        _inject(sources, amplitude, q)
        new = 2 * (1 - d_x * d_z) * u - (1 - d_x) * (1 - d_z) * u_old + courant2 * q
        u_old, u = u, new / ((1 + d_x) * (1 + d_z))
        fields.append(u)
        sources_of_waves.append(q)
    return fields, sources_of_waves


def _flux(p: Floats, g: Floats, d: Floats) -> tuple[Floats, Floats]:
    """The memory variable after a step, and (1 / s - 1) g."""
    new = (1 - d) / (1 + d) * p + g
    return new, -d / (1 + d) * (new + p)


def _shifted(u: Floats, k: int, axis: int) -> Floats:
    """Values k nodes further along an axis; zero outside."""
    width = [(0, 0), (0, 0)]
    width[axis] = (max(-k, 0), max(k, 0))
    start = max(k, 0)
    return np.take(np.pad(u, width), range(start, start + u.shape[axis]), axis=axis)


def _second(u: Floats, stencil: Floats, axis: int, odd: bool) -> Floats:
    """Second derivative; with `odd`, u is odd about its first row."""
    half = len(stencil) - 1
    if odd:
        u = np.concatenate([-u[half:0:-1], u])
    result: Floats = stencil[0] * u
    for k in range(1, half + 1):
        result = result + stencil[k] * (_shifted(u, k, axis) + _shifted(u, -k, axis))
    return result[half:] if odd else result


def _half_after(u: Floats, staggered: Floats, axis: int) -> Floats:
    """First derivative half a spacing after each node."""
    near, far = staggered
    derivative: Floats = near * (_shifted(u, 1, axis) - u) + far * (_shifted(u, 2, axis) - _shifted(u, -1, axis))
    return derivative


def _half_before(flux: Floats, staggered: Floats, axis: int) -> Floats:
    """First derivative at each node of what is half a spacing after it."""
    near, far = staggered
    derivative: Floats = near * (flux - _shifted(flux, -1, axis)) + far * (_shifted(flux, 1, axis) - _shifted(flux, -2, axis))
    return derivative


def _inject(points: Points, amplitude: Floats, q: Floats) -> None:
    each = np.repeat(amplitude, np.diff(points.start))
    np.add.at(q, (points.row, points.column), points.weight * each)


def _record(points: Points, u: Floats) -> Floats:
    return np.add.reduceat(points.weight * u[points.row, points.column], points.start[:-1])
