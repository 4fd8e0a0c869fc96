"""What a forward may know better than the configuration: bounds, a start, groups."""

import numpy as np
import pytest

import vip
from vip.errors import ConfigError

FORWARD = '''
import numpy as np
from vip.protocols import ModelSpace, Variable

class Places:
    """Two places and a number; each place is its own problem, near 3."""

    space = ModelSpace((
        Variable("x", "km", ("event",), {"event": np.array(["a", "b"])}),
        Variable("y", "km", ("event",), {"event": np.array(["a", "b"])}),
        Variable("shift", "s"),
    ))
    ndim = 5
    bounds = {"x": (np.array([0.0, 2.0]), np.array([4.0, 6.0])), "y": (np.zeros(2), np.full(2, 5.0))}
    groups = np.array([0, 1, 0, 1, 2])

    @classmethod
    def from_settings(cls, settings, base_dir):
        return cls()

    def start(self, n, rng):
        return 3.0 + 0.1 * rng.standard_normal((n, 5))

    def __call__(self, models):
        return -0.5 * np.sum((models - 3) ** 2, axis=1), 3 - models
'''
CONFIG = """
[forward]
plugin = "./places.py:Places"
[prior.shift]
kind = "gaussian"
mean = 0.0
sd = 9.0
{prior}
[algorithm]
name = "svgd"
particles = 10
iterations = 5
step_size = 0.01
kernel = "local"
"""


@pytest.fixture
def config(tmp_path):
    (tmp_path / "places.py").write_text(FORWARD)

    def write(prior=""):
        (tmp_path / "places.toml").write_text(CONFIG.format(prior=prior))
        return tmp_path / "places.toml"

    return write


def test_bounds_are_the_prior_where_none_is_given(config):
    drawn = vip.load_problem(config()).sample_prior(4000, np.random.default_rng(0))[:, :4]
    np.testing.assert_allclose(drawn.min(axis=0), [0, 2, 0, 0], atol=0.01)
    np.testing.assert_allclose(drawn.max(axis=0), [4, 6, 5, 5], atol=0.01)


def test_a_prior_that_is_given_counts_more(config):
    problem = vip.load_problem(config('[prior.x]\nkind = "uniform"\nlower = 1.0\nupper = 2.0'))
    assert problem.prior.lower.tolist()[:4] == [1, 1, 0, 0]


def test_a_variable_with_neither_is_an_error(config):
    file = config()
    file.write_text(file.read_text().replace("[prior.shift]", "[prior.x]"))
    with pytest.raises(ConfigError, match=r"prior: shift: give a prior for it in \[prior.shift\]"):
        vip.load_problem(file)


def test_the_run_starts_where_the_forward_says(config, tmp_path):
    result = vip.run(vip.load_problem(config()), tmp_path / "run")
    assert np.abs(result.models - 3).max() < 1


def test_the_local_kernel_is_that_of_the_groups(config):
    kernel = vip.load_problem(config()).build_algorithm().kernel
    assert kernel.groups.tolist() == [0, 1, 0, 1, 2]
