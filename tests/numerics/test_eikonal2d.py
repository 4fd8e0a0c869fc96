"""The eikonal kernel against closed forms, against its slow twin, and against itself.

"Measured" in a comment is the largest value seen over several seeds; the bound beside it leaves room for others.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import gaussian_filter

from vip.kernels_c.eikonal2d import Grid, Plan, ray_weights, reference, time_field, travel_times
from vip.kernels_c.eikonal2d.geometry import source_tables

VELOCITY_RANGE = 1.56, 4.8  # km/s, the prior of the British Isles example
SQUARE, WIDE, TALL = (1.0, 1.0), (1.0, 2.0), (2.0, 1.0)


def small_grid(spherical, refinement, shape=(7, 6), cell=SQUARE):
    """Cells of about 20 km; on the sphere rows run southward from 58 N, as in the British Isles example."""
    if spherical:
        return Grid(shape, (58.0, -4.0), (-0.2 * cell[0], 0.35 * cell[1]), True, refinement)
    return Grid(shape, (-10.0, 30.0), (20.0 * cell[0], 20.0 * cell[1]), False, refinement)


def british_isles(refinement=2):
    return Grid((41, 38), (61.0, -9.0), (-0.325, 0.325), True, refinement)


def coordinates(grid, place):
    """Points at fractions (n, 2) of the grid's rows and columns."""
    return np.array(grid.origin) + np.asarray(place) * (np.array(grid.shape) - 1) * np.array(grid.spacing)


def random_survey(grid, rng, n_sources, n_pairs, margin=0.05):
    """Sources, receivers, source of each pair: the arguments of `Plan`; uniform over the grid but for a margin."""
    sources, receivers = (coordinates(grid, rng.uniform(margin, 1 - margin, (n, 2))) for n in (n_sources, n_pairs))
    return sources, receivers, rng.integers(0, n_sources, n_pairs)


def awkward_survey(grid, rng):
    """All ordered pairs of points in corners, on edges, on nodes, off nodes, and close neighbours of three of these."""
    rows, columns = np.array(grid.shape) - 1
    corners = [(0, 0), (0, 1), (1, 0), (1, 1)]
    edges = [(0, 0.37), (0.61, 0), (1, 0.52), (0.48, 1)]
    on_nodes = [(2 / rows, 3 / columns), (1 / rows, 1 / columns), (0, 2 / columns)]
    off_nodes = rng.uniform(0, 1, (3, 2))
    neighbours = [(0.01, 0.02), (2.2 / rows, 3.1 / columns), off_nodes[0] * 0.98]
    points = coordinates(grid, [*corners, *edges, *on_nodes, *off_nodes, *neighbours])
    source, receiver = np.nonzero(~np.eye(len(points), dtype=bool))
    return points, points[receiver], source


def rough_models(grid, rng, n):
    """White noise from the prior: the roughest models that an inversion visits, and it starts from them."""
    return rng.uniform(*VELOCITY_RANGE, (n, np.prod(grid.shape)))


def smooth_models(grid, rng, n):
    """3 km/s with 10 % of Gaussian noise, correlated over 3 nodes."""
    noise = gaussian_filter(rng.normal(size=(n, *grid.shape)), (0, 3, 3))
    return (3 + 0.3 * noise / noise.std(axis=(1, 2), keepdims=True)).reshape(n, -1)


MODELS = {"rough": rough_models, "smooth": smooth_models}


def random_data(rng, n_pairs):
    return rng.uniform(1, 30, n_pairs), rng.uniform(0.1, 1, n_pairs)


def distances(grid, survey):
    sources, receivers, source_of_pair = survey
    return grid.distance(sources[source_of_pair], receivers)


def rms(x):
    return np.sqrt(np.mean(np.square(x)))


# Closed forms


@pytest.mark.parametrize("refinement", [1, 2, 3])
@pytest.mark.parametrize("cell", [SQUARE, WIDE, TALL])
def test_constant_velocity_is_exact_on_the_plane(cell, refinement):
    grid = small_grid(False, refinement, cell=cell)
    survey = awkward_survey(grid, np.random.default_rng(1))
    times = travel_times(np.full((1, 42), 3.0), Plan(grid, *survey, "float64"))[0]
    assert_allclose(times, distances(grid, survey) / 3.0, rtol=1e-12)


@pytest.mark.parametrize(("precision", "rtol"), [("float64", 1e-12), ("float32", 3e-6)])  # measured 7e-15, 1e-6
def test_constant_velocity_is_exact_on_the_sphere(precision, rtol):
    # Away from the edges: a great circle between two points on the northern edge leaves the grid, where no wave goes.
    grid = british_isles()
    survey = random_survey(grid, np.random.default_rng(2), 12, 120)
    times = travel_times(np.full((1, 41 * 38), 3.0), Plan(grid, *survey, precision))[0]
    assert_allclose(times, distances(grid, survey) / 3.0, rtol=rtol)


@pytest.mark.parametrize("place", [(0.31, 0.47), (2 / 6, 3 / 5), (0, 0)])
def test_a_receiver_on_its_source_has_time_zero(place):
    grid = small_grid(False, 2)
    point = coordinates(grid, [place])
    times, gradient = travel_times(np.full((1, 42), 3.0), Plan(grid, point, point, [0], "float64"), [1.0], [1.0])
    assert times == 0
    assert_array_equal(gradient, 0)


def test_linear_velocity_gradient_converges():
    """v = v0 + g y: rays are arcs of circles, with times in closed form (Slotnick 1959)."""
    v0, g, step = 2.0, 0.05, 2.0
    grids = [Grid((21, 25), (0.0, 0.0), (step, step), False, refinement) for refinement in (2, 4, 8, 16)]
    survey = sources, receivers, source_of_pair = random_survey(grids[0], np.random.default_rng(3), 4, 100, margin=0.1)
    v_source, v_receiver = v0 + g * sources[source_of_pair, 0], v0 + g * receivers[:, 0]
    exact = np.arccosh(1 + (g * distances(grids[0], survey)) ** 2 / (2 * v_source * v_receiver)) / g
    velocity = np.repeat(v0 + g * step * np.arange(21), 25)[None]
    error = [rms(travel_times(velocity, Plan(grid, *survey, "float64"))[0] / exact - 1) for grid in grids]
    assert error[0] < 2e-3  # cells of 1 km; measured 1.2e-3
    assert np.log2(error[0] / error[-1]) / 3 > 0.85  # measured 0.89 to 0.96, and 0.98 from 16 to 32: first order


# The size and roughness of a real problem


def test_discretisation_error_of_the_british_isles_problem():
    """The smooth models are piecewise bilinear, hence the same on all grids: only the error of the scheme is left."""
    rng = np.random.default_rng(4)
    survey = random_survey(british_isles(), rng, 4, 120)
    velocity = smooth_models(british_isles(), rng, 4)
    truth = travel_times(velocity, Plan(british_isles(20), *survey, "float64"))
    error = travel_times(velocity, Plan(british_isles(2), *survey, "float64")) / truth - 1
    assert rms(error) < 2e-3  # measured 1.1e-3
    assert np.abs(error).max() < 1e-2  # measured 5e-3, where wave fronts meet


def test_reciprocity():
    grid, rng = british_isles(), np.random.default_rng(5)
    survey = sources, receivers, source_of_pair = random_survey(grid, rng, 12, 120)
    there = Plan(grid, *survey, "float64")
    back = Plan(grid, receivers, sources[source_of_pair], np.arange(120), "float64")
    constant, smooth = np.full((1, 41 * 38), 3.0), smooth_models(grid, rng, 4)
    assert_allclose(travel_times(constant, there), travel_times(constant, back), rtol=1e-12)
    # The scheme is not symmetric: both ways have a discretisation error of its own, RMS below 2e-3 as tested above.
    assert rms(travel_times(smooth, there) / travel_times(smooth, back) - 1) < 2e-3  # measured 1.3e-3


@pytest.mark.parametrize("models", MODELS)
def test_no_update_improves_a_large_field(models):
    """On all nodes the times solve the equations as the twin writes them, and so does every order of the updates."""
    grid, rng = british_isles(), np.random.default_rng(6)
    survey = random_survey(grid, rng, 12, 12, margin=0)
    plan, velocity = Plan(grid, *survey, "float64"), MODELS[models](grid, rng, 1)[0]
    to_rows, to_columns = (reference.interpolation(n, grid.refinement) for n in grid.shape)
    slowness = 1 / (to_rows @ velocity.reshape(grid.shape) @ to_columns.T).ravel()
    for n, source in enumerate(survey[0]):
        around = reference.triangles(grid, source_tables(grid, source))
        time = np.pad(time_field(velocity, plan, n), 1, constant_values=reference.NEVER).ravel()
        updated = reference.arrivals(slowness, time, around).min(axis=0)
        assert_allclose(updated, time[around.i], rtol=1e-13)


# The slow twin


@pytest.mark.parametrize(("precision", "rtol"), [("float64", 1e-10), ("float32", 1e-5)])
@pytest.mark.parametrize("cell", [SQUARE, WIDE, TALL])
@pytest.mark.parametrize("refinement", [1, 2, 3])
@pytest.mark.parametrize("spherical", [False, True], ids=["plane", "sphere"])
def test_agrees_with_the_twin(spherical, refinement, cell, precision, rtol):
    grid, rng = small_grid(spherical, refinement, cell=cell), np.random.default_rng(7)
    survey = awkward_survey(grid, rng)
    velocity, data = rough_models(grid, rng, 2), random_data(rng, len(survey[2]))
    times, gradient = travel_times(velocity, Plan(grid, *survey, precision), *data)
    twin_times, twin_gradient = reference.travel_times(velocity, reference.Plan(grid, *survey), *data)
    assert_allclose(times, twin_times, rtol=rtol)
    assert_allclose(gradient, twin_gradient, rtol=0, atol=rtol * np.abs(twin_gradient).max())


@pytest.mark.parametrize(("precision", "rtol"), [("float64", 1e-10), ("float32", 1e-5)])
@pytest.mark.parametrize("spherical", [False, True], ids=["plane", "sphere"])
def test_rays_agree_with_the_twin(spherical, precision, rtol):
    """Pairs in any order, some of which are close neighbours or end on an edge of the grid."""
    grid, rng = small_grid(spherical, 2), np.random.default_rng(71)
    points, receivers, source = awkward_survey(grid, rng)
    some = rng.permutation(len(source))[:20]
    velocity = rough_models(grid, rng, 2)
    times, rays = ray_weights(velocity, Plan(grid, points, receivers[some], source[some], precision))
    twin_times, twin_rays = reference.ray_weights(velocity, reference.Plan(grid, points, receivers[some], source[some]))
    assert_allclose(times, twin_times, rtol=rtol)
    assert_allclose(rays, twin_rays, rtol=0, atol=rtol * np.abs(twin_rays).max())


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("n_models", [1, 8, 9, 17])
def test_rays_add_up_to_the_gradient(n_models, precision):
    """In blocks of any number of lanes, whatever the number of threads."""
    grid, rng = british_isles(), np.random.default_rng(72)
    plan = Plan(grid, *random_survey(grid, rng, 5, 30, margin=0), precision)
    velocity, (observed, weight) = rough_models(grid, rng, n_models), random_data(rng, 30)
    times, gradient = travel_times(velocity, plan, observed, weight)
    same_times, rays = ray_weights(velocity, plan)
    assert_array_equal(same_times, times)
    assert_array_equal(ray_weights(velocity, plan, threads=2)[1], rays)
    total = np.einsum("np,npv->nv", weight * (times - observed), rays)
    assert_allclose(gradient, total, rtol=0, atol={"float32": 1e-5, "float64": 1e-12}[precision] * np.abs(gradient).max())


def test_a_source_without_pairs_changes_nothing():
    grid, rng = small_grid(True, 2), np.random.default_rng(8)
    sources, receivers, source_of_pair = random_survey(grid, rng, 3, 10)
    velocity, data = rough_models(grid, rng, 2), random_data(rng, 10)
    more = Plan(grid, np.concatenate([receivers[:1], sources, receivers[1:2]]), receivers, source_of_pair + 1, "float64")
    same = Plan(grid, sources, receivers, source_of_pair, "float64")
    # Sources in other groups are summed in another order, hence not to the last bit.
    for a, b in zip(travel_times(velocity, more, *data), travel_times(velocity, same, *data), strict=True):
        assert_allclose(a, b, rtol=1e-12)


# The gradient


def gradient_errors(grid, models, precision, seed):
    """Misfit's derivative along random directions less its float64 finite difference, in units of |gradient|.

    Discrete times are smooth only between kinks, where the winning triangle changes; smooth models have many close
    ties and hence many kinks. A step that crosses one gives a difference that no gradient can match: at 1e-5 km/s one
    in a hundred does, at 1e-7 none. Rounding then costs 1e-15 / 1e-7, as the difference of the squares is factored.
    """
    rng, step = np.random.default_rng(seed), 1e-7
    survey = random_survey(grid, rng, 6, 40, margin=0)
    velocity = MODELS[models](grid, rng, 8)
    direction = rng.normal(size=velocity.shape)
    plan = Plan(grid, *survey, "float64")
    observed = travel_times(velocity, plan).mean(axis=0) * rng.uniform(0.9, 1.1, 40)
    weight = rng.uniform(0.5, 1, 40)
    after, before = travel_times(velocity + step * direction, plan), travel_times(velocity - step * direction, plan)
    difference = ((after - before) / (2 * step) * ((after + before) / 2 - observed)) @ weight
    _, gradient = travel_times(velocity, Plan(grid, *survey, precision), observed, weight)
    return ((gradient * direction).sum(axis=1) - difference) / np.linalg.norm(gradient, axis=1)


@pytest.mark.parametrize(("precision", "bound"), [("float64", 1e-7), ("float32", 1e-4)])  # measured 3e-8, 1e-5
@pytest.mark.parametrize("models", MODELS)
@pytest.mark.parametrize("spherical", [False, True], ids=["plane", "sphere"])
def test_gradient_is_the_finite_difference(spherical, models, precision, bound):
    grid = small_grid(spherical, 2, shape=(12, 10))
    errors = np.concatenate([gradient_errors(grid, models, precision, seed) for seed in range(4)])
    assert np.abs(errors).max() < bound


def gradient_of_one_time(velocity, plan, pair):
    """dT/dv of one pair: the gradient of a misfit that weighs this pair alone, with a residual of one second."""
    weight = np.zeros(plan.n_pairs)
    weight[pair] = 1
    return np.stack([travel_times(v[None], plan, travel_times(v[None], plan)[0] - 1, weight)[1][0] for v in velocity])


@pytest.mark.parametrize("models", MODELS)
def test_times_are_homogeneous_of_degree_minus_one(models):
    """T(c v) = T(v) / c, and so by Euler sum_i v_i dT/dv_i = -T: no sensitivity is lost on its way to the source."""
    grid, rng = small_grid(True, 2), np.random.default_rng(9)
    plan = Plan(grid, *awkward_survey(grid, rng), "float64")
    velocity = MODELS[models](grid, rng, 2)
    times = travel_times(velocity, plan)
    assert_allclose(travel_times(1.7 * velocity, plan), times / 1.7, rtol=1e-13)
    for pair in range(0, plan.n_pairs, 5):
        gradient = gradient_of_one_time(velocity, plan, pair)
        # 1e-11: the residual of one second is the difference of times of up to 100 s.
        assert_allclose((velocity * gradient).sum(axis=1), -times[:, pair], rtol=1e-11)


# A model's result is its own


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_result_does_not_depend_on_the_batch(precision):
    """To the last bit, alone or in batches that fill both widths of lanes, at any place, on one thread or two."""
    grid, rng = small_grid(True, 2, shape=(12, 10)), np.random.default_rng(10)
    survey = random_survey(grid, rng, 11, 60, margin=0)  # more sources than the kernel has groups of them
    plan, data = Plan(grid, *survey, precision), random_data(rng, 60)
    velocity = np.concatenate([rough_models(grid, rng, 17), smooth_models(grid, rng, 16)])
    alone = [np.concatenate(x) for x in zip(*(travel_times(v[None], plan, *data) for v in velocity), strict=True)]
    for n in (2, 8, 9, 16, 17, 20, 33):
        for first in (0, 5, 32):
            batch = (first + np.arange(n)) % len(velocity)
            for threads in (1, 2):
                times, gradient = travel_times(velocity[batch], plan, *data, threads=threads)
                assert_array_equal(times, alone[0][batch])
                assert_array_equal(gradient, alone[1][batch])
                assert_array_equal(travel_times(velocity[batch], plan, threads=threads), alone[0][batch])


def test_pairs_may_come_in_any_order():
    grid, rng = small_grid(True, 2), np.random.default_rng(11)
    survey = random_survey(grid, rng, 4, 30)
    velocity, data, shuffled = rough_models(grid, rng, 2), random_data(rng, 30), rng.permutation(30)
    times, gradient = travel_times(velocity, Plan(grid, *survey, "float64"), *data)
    plan = Plan(grid, survey[0], survey[1][shuffled], survey[2][shuffled], "float64")
    again, same_gradient = travel_times(velocity, plan, *(x[shuffled] for x in data))
    assert_array_equal(again, times[:, shuffled])
    assert_allclose(same_gradient, gradient, rtol=0, atol=1e-13 * np.abs(gradient).max())  # sums in another order


# What goes in


@pytest.mark.parametrize(
    "layout",
    [
        np.asfortranarray,
        lambda v: np.repeat(v, 3, axis=1)[:, ::3],
        lambda v: v[::-1].copy()[::-1],
        lambda v: v.astype(np.float32),
        lambda v: v.astype(">f8"),
        lambda v: v.tolist(),
    ],
    ids=["fortran", "strided", "reversed", "float32", "big-endian", "list"],
)
def test_layout_and_dtype_of_the_input_do_not_matter(layout):
    grid, rng = small_grid(False, 1), np.random.default_rng(12)
    velocity = rough_models(grid, rng, 3).astype(np.float32).astype(float)  # values that float32 can hold
    plan, data = Plan(grid, *random_survey(grid, rng, 2, 9)), random_data(rng, 9)
    given = layout(velocity)
    strided = [np.repeat(x, 2)[::2] for x in data]
    for a, b in zip(travel_times(given, plan, *strided), travel_times(velocity, plan, *data), strict=True):
        assert_array_equal(a, b)
    assert_array_equal(given, velocity)  # left as it was


def replaced(value):
    velocity = np.full((2, 42), 3.0)
    velocity[1, 7] = value
    return velocity


GOOD = {"velocity": np.full((2, 42), 3.0), "observed": np.ones(3), "weight": np.ones(3)}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("velocity", replaced(np.nan)),
        ("velocity", replaced(np.inf)),
        ("velocity", replaced(0.0)),
        ("velocity", replaced(-3.0)),
        ("velocity", np.full(42, 3.0)),
        ("velocity", np.full((2, 41), 3.0)),
        ("velocity", np.full((2, 7, 6), 3.0)),
        ("velocity", np.empty((0, 42))),
        ("velocity", np.full((2, 42), 3.0 + 1j)),
        ("velocity", np.full((2, 42), 3.0, dtype=object)),
        ("velocity", np.full((2, 42), "3.0")),
        ("velocity", np.full((2, 42), True)),
        ("observed", np.array([1.0, np.nan, 1.0])),
        ("observed", np.ones(4)),
        ("observed", np.ones((1, 3))),
        ("observed", np.ones(3) + 1j),
        ("observed", ["a", "b", "c"]),
        ("observed", None),
        ("weight", np.array([1.0, 1.0, np.inf])),
        ("weight", np.ones(2)),
        ("weight", np.ones(3) + 1j),
        ("weight", None),
        ("threads", 0),
    ],
)
@pytest.mark.filterwarnings("error")  # a complex number that loses its imaginary part only warns
def test_travel_times_refuses(name, value):
    grid = small_grid(False, 2)
    plan = Plan(grid, *random_survey(grid, np.random.default_rng(13), 2, 3))
    with pytest.raises((ValueError, TypeError), match=name):
        travel_times(**{**GOOD, "plan": plan, name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sources", [[-10.0, 29.9]]),
        ("sources", [[-10.0, np.nan]]),
        ("sources", [[-10.0, 30.0, 0.0]]),
        ("sources", np.empty((0, 2))),
        ("receivers", [[110.1, 30.0]]),
        ("receivers", np.empty((0, 2))),
        ("source_of_pair", [1]),
        ("source_of_pair", [-1]),
        ("source_of_pair", [0.0]),
        ("source_of_pair", [0, 0]),
        ("precision", "float16"),
    ],
)
def test_plan_refuses(name, value):
    good = {"sources": [[0.0, 40.0]], "receivers": [[100.0, 90.0]], "source_of_pair": [0]}
    with pytest.raises((ValueError, TypeError), match=name):
        Plan(small_grid(False, 2), **{**good, name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [("shape", (1, 6)), ("spacing", (1.0, 0.0)), ("refinement", 0)],
    ids=["shape", "spacing", "refinement"],
)
def test_grid_refuses(name, value):
    good = {"shape": (7, 6), "origin": (0.0, 0.0), "spacing": (1.0, 1.0), "spherical": False, "refinement": 2}
    with pytest.raises(ValueError, match=name):
        Grid(**{**good, name: value})


def test_a_plan_is_built_anew_in_another_process():
    import pickle

    grid = Grid((6, 7), (0.0, 0.0), (1.0, 1.0), False, 2)
    rng = np.random.default_rng(5)
    sources, receivers = rng.uniform(0.5, 4.5, (2, 2)), rng.uniform(0.5, 4.5, (5, 2))
    plan = Plan(grid, sources, receivers, np.array([1, 0, 1, 1, 0]), "float64")
    models = rng.uniform(1, 2, (3, 42))
    assert np.array_equal(travel_times(models, pickle.loads(pickle.dumps(plan))), travel_times(models, plan))
