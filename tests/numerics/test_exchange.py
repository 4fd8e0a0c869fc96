"""Exchanges of picks: the kernel against whole least-squares problems, missing picks, and what it refuses."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from vip.kernels_c.exchange import exchange, reference

EVENTS, CHANNELS, UNKNOWNS = 3, 4, 5


class Problem:
    """Random linear data, and the quantities that the kernel takes."""

    def __init__(self, seed):
        rng = self.rng = np.random.default_rng(seed)
        self.design = rng.standard_normal((EVENTS, CHANNELS, UNKNOWNS))
        root = rng.standard_normal((UNKNOWNS, UNKNOWNS))
        self.precision, self.centre = root @ root.T + np.eye(UNKNOWNS), rng.standard_normal(UNKNOWNS)
        self.rows = self.design.reshape(-1, UNKNOWNS)
        gain = self.rows @ np.linalg.inv(self.rows.T @ self.rows + self.precision)
        self.projector = np.eye(len(self.rows)) - gain @ self.rows.T
        self.free = gain @ self.precision @ self.centre

    def half_gradient(self, datum):
        return (self.projector @ datum.ravel() - self.free).reshape(datum.shape)

    def cost(self, datum):
        return reference.least(self.rows, self.precision, self.centre, datum.ravel())

    def moves(self, n, n_slots):
        event = self.rng.integers(0, EVENTS, n)
        other = (event + self.rng.integers(1, n_slots, n)) % n_slots
        return np.stack([self.rng.integers(0, CHANNELS, n), event, other], axis=1)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("left_over", [0, 2])
def test_every_exchange_is_judged_as_by_a_whole_least_squares_problem(seed, left_over):
    problem = Problem(seed)
    slot = problem.rng.standard_normal((CHANNELS, EVENTS + left_over))
    move, slack = problem.moves(60, EVENTS + left_over), problem.rng.exponential(0.3, 60)
    datum = slot[:, :EVENTS].T
    found, after, gradient, change = exchange(problem.projector, problem.half_gradient(datum), datum, slot, move, slack)
    expected, expected_change = reference.exchange(problem.design, problem.precision, problem.centre, slot, move, slack)
    assert_array_equal(found, expected)
    assert change == pytest.approx(expected_change, abs=1e-10)
    assert_array_equal(after, found[:, :EVENTS].T)
    assert_allclose(gradient, problem.half_gradient(after), atol=1e-12)
    assert not np.array_equal(found, slot)


def test_a_missing_datum_is_an_unknown():
    """Exchanging nothing with nothing, again and again, ends where all missing data are free."""
    problem = Problem(4)
    slot = problem.rng.standard_normal((CHANNELS, EVENTS))
    slot[0, :2] = slot[2, 1:] = np.nan
    datum = np.nan_to_num(slot[:, :EVENTS].T)
    move = np.tile([[0, 0, 1], [0, 1, 0], [2, 1, 2], [2, 2, 1]], (200, 1))
    start = problem.half_gradient(datum)
    found, after, gradient, change = exchange(problem.projector, start, datum, slot, move, np.zeros(len(move)))
    given = ~np.isnan(slot.T)
    known = problem.rows[given.ravel()]
    least = reference.least(known, problem.precision, problem.centre, slot.T[given])
    assert problem.cost(after) == pytest.approx(least)
    assert problem.cost(datum) + change == pytest.approx(least)
    assert_array_equal(after[given], datum[given])
    assert_allclose(gradient[~given], 0, atol=1e-9)
    assert_array_equal(found, slot)


@pytest.mark.parametrize("seed", range(3))
def test_picks_are_lost_and_won(seed):
    """The sum of squares is what the moves say, whatever was exchanged with nothing; and no pick disappears."""
    problem = Problem(seed)
    slot = problem.rng.standard_normal((CHANNELS, EVENTS + 1))
    slot[1, 0] = slot[3, 2] = slot[3, 3] = np.nan
    datum = np.where(np.isnan(slot[:, :EVENTS].T), 0.3, slot[:, :EVENTS].T)
    move = problem.moves(50, EVENTS + 1)
    found, after, gradient, change = exchange(
        problem.projector, problem.half_gradient(datum), datum, slot, move, np.full(50, 2.0)
    )
    assert problem.cost(after) - problem.cost(datum) == pytest.approx(change, abs=1e-10)
    assert_allclose(gradient, problem.half_gradient(after), atol=1e-12)
    assert_array_equal(np.sort(found, axis=1), np.sort(slot, axis=1))
    picked = ~np.isnan(found[:, :EVENTS].T)
    assert_array_equal(after[picked], found[:, :EVENTS].T[picked])
    assert (np.isnan(found) != np.isnan(slot)).any()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("projector", np.zeros((12, 12)), "diagonal"),
        ("projector", np.eye(11), "projector"),
        ("datum", np.full((EVENTS, CHANNELS), np.nan), "datum"),
        ("slot", np.zeros((CHANNELS, EVENTS - 1)), "slot"),
        ("slot", np.full((CHANNELS, EVENTS), np.inf), "slot"),
        ("move", [[0, 0, 0]], "differ"),
        ("move", [[0, 0, 3]], "slots below 3"),
        ("move", [[4, 0, 1]], "channels below 4"),
        ("slack", [np.nan], "slack"),
    ],
)
def test_what_it_refuses(name, value, said):
    given = {
        "projector": np.eye(12),
        "half_gradient": np.zeros((EVENTS, CHANNELS)),
        "datum": np.zeros((EVENTS, CHANNELS)),
        "slot": np.zeros((CHANNELS, EVENTS)),
        "move": [[0, 0, 1]],
        "slack": [0.0],
    }
    with pytest.raises(ValueError, match=said):
        exchange(**{**given, name: value})
