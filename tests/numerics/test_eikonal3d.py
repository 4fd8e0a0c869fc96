"""The 3-D eikonal kernel against closed forms, against its slow twin, and against itself.

"Measured" in a comment is the largest value seen; the bound beside it leaves room for other machines' rounding, or for
other seeds.
"""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import gaussian_filter

from vip.kernels_c.eikonal3d import Grid, reference, solve
from vip.kernels_c.eikonal3d.geometry import EARTH_RADIUS

PLANE = {"spacing": (1.0, 1.0, 1.0)}
FLAT = {"spacing": (0.5, 2.0, -1.3), "origin": (3.0, -5.0, 1.0)}
SPHERE = {"spacing": (10.0, 0.2, 0.3), "origin": (0.0, 50.0, -4.0), "geometry": "spherical"}
BACKWARD = {"spacing": (-3.0, -0.1, 0.3), "origin": (60.0, -10.0, 170.0), "geometry": "spherical"}
GRIDS = pytest.mark.parametrize("grid", [PLANE, FLAT, SPHERE, BACKWARD], ids=["plane", "flat", "sphere", "backward"])
SHAPES = [(9, 8, 10), (12, 1, 9), (7, 11, 2), (1, 1, 8), (5, 6, 1), (1, 1, 1), (14, 13, 12)]


def points(shape, grid, fractions):
    """Coordinates at fractions (..., 3) of the grid's axes."""
    return np.array(grid.get("origin", (0, 0, 0))) + np.asarray(fractions) * (np.array(shape) - 1) * grid["spacing"]


def random_sources(shape, grid, rng, n=3):
    return points(shape, grid, rng.uniform(0, 1, (n, 3)))


def awkward_sources(shape, grid):
    """In corners, on a face, on an edge, on a node, next to a node, and in between."""
    node = np.round(np.array(shape) / 3) / np.maximum(np.array(shape) - 1, 1)
    return points(shape, grid, [(0, 0, 0), (1, 1, 1), (0, 0.37, 0.61), (1, 0, 0.5), node, node * 0.9999, (0.31, 0.47, 0.83)])


def coordinates(shape, spacing):
    return np.meshgrid(*(np.arange(n) * d for n, d in zip(shape, spacing, strict=True)), indexing="ij")


def straight(shape, spacing, source):
    return np.sqrt(sum((x - x0) ** 2 for x, x0 in zip(coordinates(shape, spacing), source, strict=True)))


def rough(shape, rng):
    """White noise over a factor of three."""
    return rng.uniform(2, 6, shape)


def smooth(shape, rng, width=4):
    noise = gaussian_filter(rng.normal(size=shape), width, mode="nearest")
    return 4 * np.exp(0.2 * noise / noise.std())


def relative(times, exact):
    return times[exact > 0] / exact[exact > 0] - 1


def rms(x):
    return np.sqrt(np.mean(np.square(x)))


def linear_gradient(shape, spacing, source, top, bottom):
    """Velocity that grows with x, and its times (Slotnick 1959)."""
    g = (bottom - top) / ((shape[0] - 1) * spacing[0])
    v = top + g * coordinates(shape, spacing)[0]
    r = straight(shape, spacing, source)
    return v, np.arccosh(1 + (g * r) ** 2 / (2 * v * (top + g * source[0]))) / g


# Closed forms


@pytest.mark.parametrize("grid", [PLANE, FLAT], ids=["plane", "flat"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_constant_velocity_is_exact_on_the_plane(shape, grid):
    sources = awkward_sources(shape, grid)
    exact = [straight(shape, grid["spacing"], source - grid.get("origin", 0.0)) / 5.0 for source in sources]
    assert_allclose(solve(np.full(shape, 5.0), sources, **grid), exact, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("grid", [SPHERE, BACKWARD], ids=["sphere", "backward"])
@pytest.mark.parametrize("shape", [(9, 8, 10), (14, 13, 12), (12, 9, 1), (1, 1, 1)], ids=str)
def test_constant_velocity_is_exact_on_the_sphere(shape, grid):
    """Rays are chords, here between points in the Earth's own Cartesian frame. One node along z is a meridian's plane.

    Sources are inside: a chord between two nodes of the lower face leaves the grid, where no wave goes.
    """
    sources = points(shape, grid, [(0.5, 0.5, 0.5), (0.31, 0.47, 0.63), (0.4, 0.6, 0.3)])
    nodes = earth_centred(*np.meshgrid(*Grid(shape, **grid).axes, indexing="ij"))
    exact = np.linalg.norm(nodes - earth_centred(*sources.T)[:, None, None, None], axis=-1) / 5.0
    # The atol is the rounding of coordinates of 6000 km.
    assert_allclose(solve(np.full(shape, 5.0), sources, **grid), exact, rtol=1e-11, atol=1e-11)


def earth_centred(depth, latitude, longitude):
    radius, latitude, longitude = EARTH_RADIUS - depth, np.radians(latitude), np.radians(longitude)
    across = radius * np.cos(latitude)
    return np.stack([across * np.cos(longitude), across * np.sin(longitude), radius * np.sin(latitude)], axis=-1)


@pytest.mark.parametrize("range_", [(2.0, 6.0), (4.0, 8.0)], ids=str)
@pytest.mark.parametrize("source", [(50, 50, 50), (33.3, 41.7, 60.2), (0, 0, 0), (0.4, 50.3, 49.8), (50, 0, 99)], ids=str)
def test_linear_velocity_gradient(source, range_):
    """Rays are arcs of circles. Where the source is, on a node or between, in a corner or inside, makes no difference."""
    shape = (100, 100, 100)
    velocity, exact = linear_gradient(shape, PLANE["spacing"], source, *range_)
    error = relative(solve(velocity, source, **PLANE), exact)
    assert rms(error) < 2e-4  # measured 2e-5 to 9.5e-5, the latter from the corner where the velocity is least and triples
    assert np.abs(error).max() < 5e-3  # measured 2.5e-3, next to the source


def test_order_of_convergence():
    """Second order: halving the spacing divides the error by four. First order alone would give two."""
    errors = []
    for n in (11, 21, 41, 81):
        shape, spacing = (n, n, n), (40 / (n - 1),) * 3
        velocity, exact = linear_gradient(shape, spacing, (12.0, 20.0, 16.0), 2.0, 6.0)
        errors.append(rms(relative(solve(velocity, (12.0, 20.0, 16.0), spacing), exact)))
    assert np.log2(errors[0] / errors[-1]) / 3 > 1.8  # measured 1.97


def test_layers_along_a_line_are_the_trapezoidal_rule():
    """One node along two axes, any velocity: interfaces lie midway between nodes, whichever way the wave goes."""
    velocity = np.random.default_rng(1).uniform(1, 9, (60, 1, 1))
    times, slowness = solve(velocity, (20.0, 0.0, 0.0), (0.7, 1.0, 1.0))[:, 0, 0], 1 / velocity[:, 0, 0]
    step = 0.7 * (slowness[1:] + slowness[:-1]) / 2
    source = int(20 / 0.7)
    # Next to the source the rays are straight (property 5 of eikonal3d.h), which takes the slowness between nodes as well.
    assert_allclose(np.diff(times)[source + 4 :], step[source + 4 :], rtol=1e-12)
    assert_allclose(-np.diff(times)[: source - 4], step[: source - 4], rtol=1e-12)


@pytest.mark.parametrize("depth", [0.0, 4.3])
@pytest.mark.parametrize("dimensions", [2, 3])
def test_head_wave(dimensions, depth):
    """Two layers, source and receivers in the upper one: the direct wave, and beyond the crossover the refracted one."""
    upper, lower, interface = 2.0, 5.0, 9.5
    shape = (40, 121, 1) if dimensions == 2 else (30, 61, 61)
    velocity = np.where(np.arange(shape[0]) < interface, upper, lower)[:, None, None] * np.ones(shape)
    source = (depth, 5.0, 0.0)
    times = solve(velocity, source, **PLANE)[:9]
    x, y, z = coordinates((9, *shape[1:]), PLANE["spacing"])
    offset, thickness = np.hypot(y - 5.0, z), 2 * interface - depth - x
    direct = straight(x.shape, PLANE["spacing"], source) / upper
    cosine = np.sqrt(1 - (upper / lower) ** 2)
    head = offset / lower + thickness * cosine / upper
    critical = offset >= thickness * (upper / lower) / cosine
    exact = np.where(critical, np.minimum(direct, head), direct)
    error = np.abs(times - exact)
    assert critical.mean() > 0.3
    # The slow layer takes 0.5 s a cell; an interface at a node rather than midway would shift head waves by 0.2 s.
    assert error.max() < 0.1  # measured 0.064 s
    assert rms(error) < 0.05  # measured 0.027 to 0.039 s


def test_low_velocity_layer():
    """Straight down through a layer slower than both its neighbours."""
    velocity = np.select([np.arange(50) < 10, np.arange(50) < 25], [4.0, 2.0], 6.0)[:, None, None] * np.ones((50, 41, 41))
    times = solve(velocity, (0.0, 20.0, 20.0), **PLANE)[:, 20, 20]
    slowness = 1 / velocity[:, 0, 0]
    exact = np.concatenate([[0], np.cumsum((slowness[1:] + slowness[:-1]) / 2)])
    assert_allclose(times, exact, rtol=1e-12)


def test_sphere_tends_to_the_plane():
    """A patch of 20 km at the equator, where depth alone changes distances: by 10 km / 6371 km, 1.6e-3, or less."""
    shape, rng = (21, 21, 21), np.random.default_rng(2)
    velocity, km = smooth(shape, rng), np.degrees(1 / (EARTH_RADIUS - 10))
    flat = solve(velocity, (10.0, 3.2, 7.7), **PLANE)
    round_ = solve(velocity, (10.0, (3.2 - 10) * km, (7.7 - 10) * km), (1, km, km), origin=(0, -10 * km, -10 * km),
                   geometry="spherical")  # fmt: skip
    assert rms(relative(round_, flat)) < 8e-4  # measured 3e-4 to 4e-4


def test_sphere_with_velocity_growing_towards_its_centre():
    """v = a - b rho^2, whose rays are circles: |dx| / v is the metric of hyperbolic space in a ball of radius sqrt(a / b).

    Distances in it are cosh(2 sqrt(a b) T) = 1 + 2 a b |x - y|^2 / (v(x) v(y)).
    """
    grid = Grid((31, 41, 45), (20.0, 0.5, 0.6), (0.0, 40.0, 5.0), "spherical")
    a, b = 14.0, 10.0 / EARTH_RADIUS**2
    source = (211.0, 47.3, 17.9)
    depth, latitude, longitude = np.meshgrid(*grid.axes, indexing="ij")
    velocity, at_source = a - b * (EARTH_RADIUS - depth) ** 2, a - b * (EARTH_RADIUS - source[0]) ** 2
    r = np.linalg.norm(earth_centred(depth, latitude, longitude) - earth_centred(*np.array(source)), axis=-1)
    exact = np.arccosh(1 + 2 * a * b * r**2 / (velocity * at_source)) / (2 * np.sqrt(a * b))
    error = relative(solve(velocity, source, grid.spacing, origin=grid.origin, geometry="spherical"), exact)
    assert rms(error) < 6e-4  # measured 3.2e-4: cells of 20 by 55 by 45 km, over 2600 km


# Symmetries


@pytest.mark.parametrize("model", [rough, smooth])
def test_axes_may_be_exchanged_and_reversed(model):
    rng = np.random.default_rng(3)
    shape, source, spacing = (17, 20, 23), np.array([5.3, 9.0, 11.8]), np.array([1.0, 1.5, 0.8])
    velocity = model(shape, rng)
    times = solve(velocity, source, spacing)
    for axes in itertools.permutations(range(3)):
        for flip in itertools.product((1, -1), repeat=3):
            turn = tuple(slice(None, None, f) for f in flip)
            there = np.where(np.array(flip) > 0, source, (np.array(shape) - 1) * spacing - source)
            turned = solve(velocity[turn].transpose(axes), there[list(axes)], spacing[list(axes)])
            assert_allclose(turned, times[turn].transpose(axes), rtol=1e-9)


def test_reciprocity():
    shape, rng = (40, 40, 40), np.random.default_rng(4)
    velocity = smooth(shape, rng)
    ends = rng.integers(2, 38, (12, 3))
    times = solve(velocity, ends.astype(float), **PLANE)[(slice(None), *ends.T)]
    between = ~np.eye(12, dtype=bool)
    assert rms(times[between] / times.T[between] - 1) < 3e-3  # measured 1.1e-3 to 1.4e-3


def test_times_scale_with_slowness_and_with_distance():
    shape, rng = (15, 14, 13), np.random.default_rng(5)
    velocity, source = rough(shape, rng), np.array([3.3, 7.1, 5.0])
    times = solve(velocity, source, **PLANE)
    assert_allclose(solve(1.7 * velocity, source, **PLANE), times / 1.7, rtol=1e-9)
    assert_allclose(solve(velocity, 1.7 * source, 1.7 * np.ones(3)), 1.7 * times, rtol=1e-9)


def test_two_dimensions_are_a_plane_of_three():
    """A velocity of depth and distance alone: in the source's plane, waves stay in it."""
    rng = np.random.default_rng(6)
    velocity, source = smooth((40, 1, 60), rng), (10.3, 20.0, 14.6)
    plane = solve(velocity, (10.3, 0.0, 14.6), **PLANE)[:, 0]
    space = solve(np.repeat(velocity, 41, axis=1), source, **PLANE)[:, 20]
    assert rms(relative(space, plane)) < 3e-4  # measured 1e-5 to 1e-4


# The field near the source, and between nodes


@GRIDS
def test_factored_times(grid):
    shape, rng = (9, 8, 10), np.random.default_rng(7)
    velocity, sources = rough(shape, rng), awkward_sources(shape, grid)
    factored, times = (solve(velocity, sources, factored=f, **grid) for f in (True, False))
    r = np.stack([Grid(shape, **grid).distance(source) for source in sources])
    assert_allclose(factored * r, times, rtol=1e-12, atol=1e-12)
    at_source = solve(velocity, points(shape, grid, (0, 0, 0)), factored=True, **grid)[0, 0, 0]
    assert_allclose(at_source, 1 / velocity[0, 0, 0], rtol=1e-12)


@GRIDS
def test_time_is_zero_at_the_source(grid):
    times = solve(rough((7, 8, 9), np.random.default_rng(8)), points((7, 8, 9), grid, (0, 0, 0)), **grid)
    assert times[0, 0, 0] == 0
    assert times.ravel()[1:].min() > 0


# The slow twin


@GRIDS
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("factored", [False, True])
def test_agrees_with_the_twin(shape, grid, factored):
    rng = np.random.default_rng(9)
    velocity = rough(shape, rng)
    sources = np.concatenate([random_sources(shape, grid, rng), awkward_sources(shape, grid)])
    times = solve(velocity, sources, factored=factored, **grid)
    twin = reference.solve(velocity, sources, factored=factored, **grid)
    assert_allclose(times, twin, rtol=0, atol=1e-11 * twin.max())


@pytest.mark.parametrize("grid", [PLANE, FLAT], ids=["plane", "flat"])
def test_a_slow_source_among_fast_nodes(grid):
    """Velocities over three decades: without property 2 of eikonal3d.h updates would go round in circles, ever earlier."""
    shape, rng = (12, 11, 13), np.random.default_rng(10)
    velocity = 10 ** rng.uniform(-1, 2, shape)
    velocity[5:8, 5:8, 5:8] = 0.1
    source = points(shape, grid, (0.55, 0.6, 0.5))
    times, r = solve(velocity, source, **grid), Grid(shape, **grid).distance(source)
    assert_allclose(times, reference.solve(velocity, source, **grid), rtol=0, atol=1e-10 * times.max())
    assert np.all(times >= r / velocity.max())
    assert np.all(times <= r / velocity.min() * (1 + 1e-12))


# What comes out does not depend on how it is asked for


def test_result_does_not_depend_on_threads_or_other_sources():
    """To the last bit."""
    shape, rng = (30, 31, 32), np.random.default_rng(11)
    velocity, sources = rough(shape, rng), random_sources(shape, PLANE, rng, 7)
    alone = np.stack([solve(velocity, source, **PLANE) for source in sources])
    for threads in (1, 2, 3, 16):
        assert_array_equal(solve(velocity, sources, threads=threads, **PLANE), alone)
        assert_array_equal(solve(velocity, sources[::-1], threads=threads, **PLANE), alone[::-1])


@pytest.mark.parametrize(
    "layout",
    [
        np.asfortranarray,
        lambda v: np.repeat(v, 3, axis=1)[:, ::3],
        lambda v: v[::-1].copy()[::-1],
        lambda v: v.transpose(2, 0, 1).copy().transpose(1, 2, 0),
        lambda v: v.astype(np.float32),
        lambda v: v.astype(">f8"),
        lambda v: v.tolist(),
    ],
    ids=["fortran", "strided", "reversed", "transposed", "float32", "big-endian", "list"],
)
def test_layout_and_dtype_of_the_input_do_not_matter(layout):
    rng = np.random.default_rng(12)
    velocity = rough((7, 8, 9), rng).astype(np.float32).astype(float)  # values that float32 can hold
    given, before = layout(velocity), velocity.copy()
    assert_array_equal(solve(given, [3, 4, 5], [1, 2, 1]), solve(velocity, (3.0, 4.0, 5.0), (1.0, 2.0, 1.0)))
    assert_array_equal(given, before)  # left as it was


def replaced(value):
    velocity = np.full((4, 5, 6), 3.0)
    velocity[1, 2, 3] = value
    return velocity


GOOD = {"velocity": np.full((4, 5, 6), 3.0), "source": (1.0, 2.0, 3.0), "spacing": (1.0, 1.0, 1.0)}
ON_SPHERE = {"geometry": "spherical", "origin": (0.0, 0.0, 0.0), "source": (1.0, 1.0, 1.0)}


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("velocity.*nan", {"velocity": replaced(np.nan)}),
        ("velocity.*inf", {"velocity": replaced(np.inf)}),
        ("velocity.*0.0", {"velocity": replaced(0.0)}),
        ("velocity: x 1, y 2, z 3: -3.0", {"velocity": replaced(-3.0)}),
        ("velocity: shape", {"velocity": np.full((4, 5), 3.0)}),
        ("velocity: shape", {"velocity": np.full((1, 4, 5, 6), 3.0)}),
        ("velocity: shape", {"velocity": np.empty((4, 0, 6))}),
        ("velocity: dtype", {"velocity": np.full((4, 5, 6), 3.0 + 1j)}),
        ("velocity: dtype", {"velocity": np.full((4, 5, 6), 3.0, dtype=object)}),
        ("velocity: dtype", {"velocity": np.full((4, 5, 6), "3.0")}),
        ("velocity: dtype", {"velocity": np.full((4, 5, 6), True)}),
        ("velocity: shape.*fewer", {"velocity": np.broadcast_to(3.0, (2000, 2000, 2000))[:, :, :]}),
        ("source.*outside", {"source": (1.0, 2.0, 5.1)}),
        ("source.*outside", {"source": (-0.1, 2.0, 3.0)}),
        ("source.*finite", {"source": (1.0, np.nan, 3.0)}),
        ("source.*finite", {"source": [(1.0, 2.0, 3.0), (1.0, 2.0, np.inf)]}),
        ("source: shape", {"source": (1.0, 2.0)}),
        ("source: shape", {"source": np.empty((0, 3))}),
        ("source: shape", {"source": np.ones((1, 1, 3))}),
        ("source: dtype", {"source": ("a", "b", "c")}),
        ("spacing", {"spacing": (1.0, 0.0, 1.0)}),
        ("spacing", {"spacing": (1.0, np.nan, 1.0)}),
        ("spacing: shape", {"spacing": (1.0, 1.0)}),
        ("spacing: dtype", {"spacing": (1.0, 1.0, 1j)}),
        ("origin", {"origin": (np.inf, 0.0, 0.0)}),
        ("origin: shape", {"origin": 0.0}),
        ("geometry", {"geometry": "flat"}),
        ("threads", {"threads": 0}),
        ("depths", {**ON_SPHERE, "spacing": (2200.0, 1.0, 1.0)}),
        ("latitudes", {**ON_SPHERE, "spacing": (1.0, 22.5, 1.0)}),
        ("longitudes", {**ON_SPHERE, "spacing": (1.0, 1.0, 72.0)}),
    ],
)
@pytest.mark.filterwarnings("error")  # a complex number that loses its imaginary part only warns
def test_refuses(name, wrong):
    with pytest.raises((ValueError, TypeError), match=name):
        solve(**{**GOOD, **wrong})
