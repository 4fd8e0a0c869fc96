"""Back-projection: held to its slow twin, to an event whose place is known, and to any number of threads."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from vip.kernels_c.backprojection import back_project, reference


def problem(rng, n_nodes=7, n_channels=5, n_steps=1500, longest=90):
    gain = rng.normal(-0.5, 1, (n_channels, n_steps)).astype(np.float32)
    channel = np.array([rng.permutation(n_channels) for _ in range(n_nodes)])
    for row, n in zip(channel, rng.integers(1, n_channels + 1, n_nodes), strict=True):
        row[n:] = -1
    return gain, channel, rng.integers(0, longest, channel.shape)


@pytest.mark.parametrize("seed", range(5))
def test_it_is_its_twin(seed):
    arguments = problem(np.random.default_rng(seed), n_channels=5 + 6 * seed, n_steps=600 + 137 * seed)  # added by sixes
    for found, expected in zip(back_project(*arguments), reference.back_project(*arguments), strict=True):
        assert_array_equal(found, expected)


def test_threads_and_the_order_of_memory_change_nothing():
    gain, channel, delay = problem(np.random.default_rng(1), n_steps=5000)
    for other in (back_project(gain, channel, delay, 4), back_project(np.asfortranarray(gain), channel, delay[:, ::1])):
        for a, b in zip(other, back_project(gain, channel, delay), strict=True):
            assert_array_equal(a, b)


def test_an_event_is_found_where_and_when_it_is():
    rng = np.random.default_rng(2)
    gain, delay = np.full((8, 2000), -1, np.float32), rng.integers(10, 200, (50, 8))
    gain[np.arange(8), 777 + delay[31]] = 4
    best, node = back_project(gain, np.tile(np.arange(8), (50, 1)), delay)
    assert (int(best.argmax()), int(node[777])) == (777, 31)
    assert best[777] == 32


def test_channels_beyond_the_reach_do_not_count():
    gain = np.array([[3.0], [2.0], [-9.0]])
    best, node = back_project(gain, [[0, 1, 2], [2, 1, 0]], np.zeros((2, 3), int))
    assert (best[0], node[0]) == (5, 0)


def test_where_nothing_is_gained_there_is_no_node():
    best, node = back_project(np.full((2, 4), -1.0), [[0, 1]], [[0, 0]])
    assert_array_equal(best, np.zeros(4))
    assert_array_equal(node, np.full(4, -1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gain": [[np.nan]]}, "gain"),
        ({"channel": [[1]]}, "channel"),
        ({"delay": [[-1]]}, "delay"),
        ({"delay": [[0, 1]]}, "delay"),
        ({"gain": [["x"]]}, "gain"),
    ],
)
def test_wrong_input_is_refused_by_name(change, message):
    with pytest.raises((ValueError, TypeError), match=message):
        back_project(**({"gain": [[1.0]], "channel": [[0]], "delay": [[0]]} | change))
