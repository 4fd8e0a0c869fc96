"""The two reciprocities of elastic3d: one run for each receiver gives the traces of every source position."""

import numpy as np
import pytest

from vip.kernels_c.elastic3d import Absorber, ForceSource, MomentSource, Solver, largest_time_step

SPACING = (10.0, 12.0, 11.0)  # m
SHAPE, STEPS = (17, 14, 25), 120
MOMENT = np.array([[1.0, 0.4, -0.7], [0.4, -0.5, 0.3], [-0.7, 0.3, 2.0]])
STRAINS = ("exx", "eyy", "ezz", "exy", "exz", "eyz")
VELOCITIES = ("vx", "vy", "vz")
BOUND = {"float64": 1e-12, "float32": 1e-5}
"""Measured 2e-15 and 1e-6."""


def rough_solver(precision, order, free_surface=False):
    """White noise below ten planes of water."""
    rng = np.random.default_rng(11)
    vp = rng.uniform(2000, 4000, SHAPE)
    vs, density = vp / rng.uniform(1.5, 4, SHAPE), rng.uniform(1500, 3000, SHAPE)
    vp[..., :10], vs[..., :10], density[..., :10] = 1500, 0, 1000
    dt = 0.6 * largest_time_step(SPACING, 4000, order)
    return Solver(vp, vs, density, SPACING, dt, order, Absorber(8, free_surface=free_surface), precision)


def pulse(solver):
    return lambda t: np.exp(-((t / solver.grid.dt - 15) ** 2) / 18)


def place(*nodes):
    return np.array(nodes) * SPACING


def contracted(moment, strains):
    """Moment tensor : strain, from the six channels of STRAINS."""
    xx, yy, zz, xy, xz, yz = strains
    m = moment
    return m[0, 0] * xx + m[1, 1] * yy + m[2, 2] * zz + 2 * (m[0, 1] * xy + m[0, 2] * xz + m[1, 2] * yz)


def assert_same(found, truth, precision):
    assert np.abs(found - truth).max() < BOUND[precision] * np.abs(truth).max()


BETWEEN, ON_NODE, BESIDE_WATER = place(6.3, 8.8, 16.45), place(10, 6, 18), place(11.6, 7.1, 11.2)
SOURCES = {"between nodes": BETWEEN, "on a node": ON_NODE, "near the sea bed": BESIDE_WATER}


@pytest.mark.parametrize("precision", BOUND)
@pytest.mark.parametrize("order", [4, 8])
def test_pressure_of_explosions(order, precision):
    """p(r; explosion at s) = kappa(r) / kappa(s) p(s; explosion at r): without the ratio it is wrong several times over."""
    solver = rough_solver(precision, order)
    r, s = place(4, 5, 4), ON_NODE
    there = solver.run([MomentSource(s, np.eye(3), pulse(solver))], [r], STEPS)[0, 0]
    back = solver.run([MomentSource(r, np.eye(3), pulse(solver))], [s], STEPS)[0, 0]
    at_r, at_s = solver.bulk_modulus([r, s])
    assert_same(at_r / at_s * back, there, precision)
    assert np.abs(back - there).max() > 0.5 * np.abs(there).max()


@pytest.mark.parametrize("precision", BOUND)
@pytest.mark.parametrize("where", SOURCES)
def test_pressure_of_any_moment(where, precision):
    """p(r; M at s) = -kappa(r) M : strain(s; unit explosion at r), r a hydrophone between nodes."""
    solver, s, r = rough_solver(precision, 4, where == "on a node"), SOURCES[where], place(4.4, 5.3, 4.2)
    there = solver.run([MomentSource(s, MOMENT, pulse(solver))], [r], STEPS)[0, 0]
    strains = solver.run([MomentSource(r, np.eye(3), pulse(solver))], [s], STEPS, STRAINS)[0]
    assert_same(-solver.bulk_modulus([r])[0] * contracted(MOMENT, strains), there, precision)


@pytest.mark.parametrize("precision", BOUND)
@pytest.mark.parametrize("where", SOURCES)
@pytest.mark.parametrize("n", [0, 1, 2])
def test_velocity_of_any_moment(n, where, precision):
    """v_n(r; moment rate M at s) = M : strain(s; unit force along n at r).

    Sample by sample, though a velocity is half a step later than a strain: so is a moment rate than a force.
    """
    solver, s, r = rough_solver(precision, 8 if n == 1 else 4), SOURCES[where], place(4.4, 5.3, 13.2)
    there = solver.run([MomentSource(s, MOMENT, pulse(solver)(np.arange(STEPS) * solver.grid.dt))], [r], STEPS, [VELOCITIES[n]])
    force = ForceSource(r, np.eye(3)[n], pulse(solver))
    strains = solver.run([force], [s], STEPS, STRAINS)[0]
    assert_same(contracted(MOMENT, strains), there[0, 0], precision)


@pytest.mark.parametrize("precision", BOUND)
def test_velocity_of_forces(precision):
    """v_n(r; force along m at s) = v_m(s; force along n at r)."""
    solver, s, r = rough_solver(precision, 4), BETWEEN, place(4.4, 5.3, 4.2)
    there = solver.run([ForceSource(s, (0, 0, 1), pulse(solver))], [r], STEPS, ["vx"])
    back = solver.run([ForceSource(r, (1, 0, 0), pulse(solver))], [s], STEPS, ["vz"])
    assert_same(back, there, precision)


def test_strain_is_the_time_integral_of_the_strain_rate():
    """From velocities around a place, in a solid: E v half a step before and after its time."""
    solver, s = rough_solver("float64", 4), place(9, 8, 17)
    h = np.diag(SPACING)
    around = np.concatenate([s + k * h / 2 for k in (-3, -1, 1, 3)])
    velocities = solver.run([ForceSource(BETWEEN, (1, 2, 3), pulse(solver))], around, STEPS, VELOCITIES).reshape(4, 3, 3, STEPS)
    rate = sum(c * np.stack([velocities[k, a, a] for a in range(3)]) for k, c in enumerate((1 / 24, -9 / 8, 9 / 8, -1 / 24)))
    rate /= np.array(SPACING)[:, None]
    strains = solver.run([ForceSource(BETWEEN, (1, 2, 3), pulse(solver))], [s], STEPS, STRAINS[:3])[0]
    summed = np.cumsum(rate, axis=1) * solver.grid.dt
    assert np.abs(strains[:, 1:] - summed[:, :-1]).max() < 1e-12 * np.abs(strains).max()
