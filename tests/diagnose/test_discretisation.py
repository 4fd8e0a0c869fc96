"""The error of a grid is found from finer ones: where it is known, and where the eikonal kernel makes it."""

import numpy as np
import pytest

import vip
from vip.diagnose.checks import check_problem
from vip.diagnose.discretisation import GOOD_ENOUGH, discretisation, grid_error
from vip.errors import ForwardError
from vip.forward.tomo2d import Tomo2D
from vip.forward.tomo2d.data import Picks
from vip.inference.priors import Uniform
from vip.kernels_c.eikonal2d import Grid
from vip.protocols import Refines
from vip.runs.objects import make_problem


class Rough:
    """Data whose error is `size` sigma times a power of the spacing."""

    observed, sigma = np.zeros(4), np.array([0.1, 0.2, 0.3, 0.4])

    def __init__(self, size, power, fine=1):
        self.size, self.power, self.fine = size, power, fine

    def simulate(self, models):
        signs = np.array([1, -1, 1, 1]) * np.ones((len(models), 1))
        return models.sum(axis=1)[:, None] + self.size * self.fine**-self.power * signs * self.sigma

    def excerpt(self):
        return self

    def finer(self, factor):
        return Rough(self.size, self.power, factor * self.fine)

    def fineness(self, factor):
        return f"factor = {factor:.3g}"


@pytest.mark.parametrize("power", [1.0, 1.6, 2.0])
@pytest.mark.parametrize("size", [0.05, 0.9, 12.0])
def test_the_error_and_the_fineness_that_is_needed(size, power):
    found = discretisation(Rough(size, power), np.ones((3, 2)))
    assert found.rms == pytest.approx(size)
    assert found.is_good == (size <= GOOD_ENOUGH)
    needed = max(1.0, (size / GOOD_ENOUGH) ** (1 / power))
    assert found.enough == f"factor = {needed:.3g}"
    assert ("use factor" in str(found)) == (size > GOOD_ENOUGH)


def test_an_error_that_does_not_fall_is_no_promise():
    found = discretisation(Rough(3.0, -1.0), np.ones((3, 2)))
    assert found.enough == ""
    assert "finer grids do not settle it" in str(found)


def test_no_error_at_all():
    assert discretisation(Rough(0.0, 1.0), np.ones((3, 2))).is_good


def survey(refinement):
    """All pairs of eight stations on 10 x 10 nodes, with errors of 1 %."""
    places = np.random.default_rng(3).uniform(0.5, 8.5, (8, 2))
    a, b = np.triu_indices(8, 1)
    times = np.linalg.norm(places[a] - places[b], axis=1) / 3
    picks = Picks([str(i) for i in range(8)], places, a, b, times, 0.01 * times)
    return Tomo2D(Grid((10, 10), (0.0, 0.0), (1.0, 1.0), False, refinement), {"": picks})


def test_travel_times_in_rough_models_need_the_refinement_that_is_named():
    models = np.random.default_rng(0).uniform(2, 4, (3, 100))
    coarse = survey(2)
    assert isinstance(coarse, Refines)
    found = discretisation(coarse, models)
    exact = survey(40).simulate(models)
    error = np.sqrt(np.mean(((coarse.simulate(models) - exact) / coarse.sigma) ** 2))
    assert found.rms == pytest.approx(error, rel=0.2)
    needed = int(found.enough.removeprefix("refinement = "))
    assert needed > 4
    mended = np.sqrt(np.mean(((survey(needed).simulate(models) - exact) / coarse.sigma) ** 2))
    assert mended < 2 * GOOD_ENOUGH
    assert discretisation(survey(2), np.full((3, 100), 3.0)).rms < 0.3 * found.rms  # one velocity: nearly exact


def test_the_check_says_it():
    problem = make_problem(
        survey(2), Uniform(np.full(100, 2.0), np.full(100, 4.0)), vip.methods.SVGD(particles=2, iterations=2)
    )
    assert "with refinement = 2: use refinement = " in dict(check_problem(problem).rows())["error of the grid"]


def test_an_excerpt_tells_the_error_of_all_and_a_large_grid_is_left_alone():
    models = np.random.default_rng(1).uniform(2, 4, (3, 100))
    whole = survey(2)
    few = whole.excerpt()
    assert 6 <= len(few.observed) <= len(whole.observed)
    assert set(few.observed) <= set(whole.observed)
    assert discretisation(few, models).rms == pytest.approx(discretisation(whole, models).rms, rel=0.5)
    assert survey(64).excerpt() is None
    assert grid_error(survey(64), models) is None


def test_a_forward_that_fails_on_a_model_costs_the_row_alone():
    class Fails(Rough):
        def simulate(self, models):
            raise ForwardError({0: "no ray"})

    assert grid_error(Fails(1.0, 1.0), np.ones((3, 2))) is None
