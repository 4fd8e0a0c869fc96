"""The elastic kernel against closed forms.

"Measured" in a comment is the largest value seen.
"""

import numpy as np
import pytest

from vip.kernels_c.elastic3d import MomentSource, Solver, largest_time_step

VP, VS, DENSITY = 3000.0, 1700.0, 2200.0
SPACING = 10.0
VELOCITIES = ("vx", "vy", "vz")


def ricker(frequency, delay=1.4):
    """Ricker wavelet with its peak after `delay` periods, where it begins below 1e-6 of it."""

    def wavelet(t):
        x = (np.pi * (frequency * t - delay)) ** 2
        return (1 - 2 * x) * np.exp(-x)

    return wavelet


def slope(function, step=1e-5):
    """Derivative of a smooth function of time, by differences of 4th order."""
    return lambda t: (
        (8 * (function(t + step) - function(t - step)) - function(t + 2 * step) + function(t - 2 * step)) / (12 * step)
    )


def relative_l2(values, truth):
    return np.linalg.norm(values - truth) / np.linalg.norm(truth)


def full_space(offset, moment, rate, times, vp=VP, vs=VS, density=DENSITY):
    """Velocity (3, n) that a moment tensor makes at an offset: Aki & Richards (2002), eq. 4.29, differentiated in time."""
    r = np.linalg.norm(offset)
    g, one = offset / r, np.eye(3)
    ggg = np.einsum("i,j,k->ijk", g, g, g)
    g_pq, g_np, g_nq = np.einsum("n,pq->npq", g, one), np.einsum("p,nq->npq", g, one), np.einsum("q,np->npq", g, one)
    every = g_pq + g_np + g_nq
    tau, weights = np.polynomial.legendre.leggauss(60)
    late = r / 2 * ((1 / vs - 1 / vp) * tau + 1 / vs + 1 / vp)
    near = (rate(times[:, None] - late) * late) @ weights * r / 2 * (1 / vs - 1 / vp)
    p, s = rate(times - r / vp), rate(times - r / vs)
    p_far, s_far = slope(rate)(times - r / vp), slope(rate)(times - r / vs)
    terms = (
        ((15 * ggg - 3 * every) / r**4, near),
        ((6 * ggg - every) / (vp**2 * r**2), p),
        (-(6 * ggg - every - g_nq) / (vs**2 * r**2), s),
        (ggg / (vp**3 * r), p_far),
        (-(ggg - g_nq) / (vs**3 * r), s_far),
    )
    return sum(np.einsum("npq,pq->n", pattern, moment)[:, None] * shape for pattern, shape in terms) / (4 * np.pi * density)


PAIRS = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))


def moment_tensor(a, b):
    moment = np.zeros((3, 3))
    moment[[a, b], [b, a]] = 1.0
    return moment


def homogeneous(shape, order, absorber=10, courant=0.7, **earth):
    vp, vs, density = ({"vp": VP, "vs": VS, "density": DENSITY} | earth).values()
    dt = courant * largest_time_step((SPACING,) * 3, vp, order)
    return Solver(*(np.full(shape, v) for v in (vp, vs, density)), SPACING, dt, order, absorber)


@pytest.mark.parametrize(("order", "cells", "courant"), [(4, 14, 0.4), (8, 8, 0.2)])
def test_full_space(order, cells, courant):
    """Six moment components, and their sum for an explosion, all terms; source and receivers between nodes.

    Receivers are 1.3 and 1.7 wavelengths of S away. Velocities taken half a step early or late are wrong by 4 %.
    """
    frequency = VS / (cells * SPACING)
    n = round(1.2 * cells) + 12
    solver = homogeneous((n, n, n), order, courant=courant)
    source = np.array([5.3, 4.8, 5.45]) * SPACING
    offsets = np.array([[0.6, 0.8, 0.9], [1.1, 1.0, 0.8]]) * cells * SPACING
    steps = int((2.6 / frequency + 2 * cells * SPACING / VS) / solver.grid.dt)
    times, rate = solver.times("vx", steps), ricker(frequency)
    found, truth = np.zeros((2, 6, 2, 3, steps))
    for m, pair in enumerate(PAIRS):
        found[m] = solver.run([MomentSource(source, moment_tensor(*pair), rate)], source + offsets, steps, VELOCITIES)
        truth[m] = [full_space(offset, moment_tensor(*pair), rate, times) for offset in offsets]
        for receiver in range(2):
            assert relative_l2(found[m, receiver], truth[m, receiver]) < 5e-3  # measured 4.3e-3
    for receiver in range(2):
        assert relative_l2(found[:3, receiver].sum(0), truth[:3, receiver].sum(0)) < 5e-3  # measured 2.5e-3
