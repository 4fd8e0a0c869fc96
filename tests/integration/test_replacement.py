"""Another prior after a run, without its forward: against the posterior that a run with that prior would have had."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import vip
from vip.errors import ConfigError

FORWARD = '''
import numpy as np
from vip.protocols import ModelSpace, Variable

class Linear:
    """d = G m with errors of 0.5, for six entries of which the data see four combinations."""

    def __init__(self):
        self.space = ModelSpace((Variable("v", "1", ("x",), {"x": np.arange(6.0)}),))
        self.ndim = 6
        self.matrix = np.random.default_rng(1).standard_normal((4, 6))
        self.observed, self.sigma = self.matrix @ np.linspace(-1, 1, 6), np.full(4, 0.5)

    @classmethod
    def from_settings(cls, settings, base_dir):
        return cls()

    def simulate(self, models):
        return models @ self.matrix.T

    def __call__(self, models):
        residual = (self.observed - self.simulate(models)) / self.sigma
        return -0.5 * (residual**2).sum(axis=1), residual / self.sigma @ self.matrix
'''

OLD = """
seed = 1
[forward]
plugin = "./linear.py:Linear"
[prior.v]
{prior}
[algorithm]
name = "advi"
covariance = "full-rank"
iterations = 20000
step_size = 0.05
samples_per_step = 4
"""

NEW = """
seed = 2
[forward]
plugin = "run"
run = "old"
[prior.v]
{prior}
[algorithm]
name = "hmc"
iterations = 3000
burn_in = 500
leapfrog_steps = 5
metric = "low-rank"
"""

WIDE = 'kind = "gaussian"\nmean = 0.0\nsd = 2.0\n'
NARROW = 'kind = "gaussian"\nmean = 0.5\nsd = 0.6\n'


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "linear.py").write_text(FORWARD)
    return tmp_path


def run(folder, text, output):
    (folder / f"{output}.toml").write_text(text)
    return vip.run(vip.load_problem(folder / f"{output}.toml"), folder / output)


@pytest.mark.parametrize("whiten", ["", "whiten = true\n"])
def test_the_posterior_of_the_other_prior(folder, whiten):
    old = run(folder, OLD.format(prior=WIDE + whiten), "old")
    new = run(folder, NEW.format(prior=NARROW), "new")
    forward = old.problem.forward
    precision = forward.matrix.T @ forward.matrix / 0.25 + np.eye(6) / 0.36
    covariance = np.linalg.inv(precision)
    mean = covariance @ (forward.matrix.T @ forward.observed / 0.25 + 0.5 / 0.36)
    sd = np.sqrt(np.diag(covariance))
    # ADVI finds its Gaussian to about 1 %; 50,000 samples, of which some thousand are independent, scatter by as much.
    assert_allclose((new.mean_model - mean) / sd, 0, atol=0.1)
    assert_allclose(new.std_model / sd, 1, atol=0.05)
    assert_allclose(new.predicted(3).shape, (3, 4))


def test_a_surrogate_has_the_gradient_of_its_value(folder):
    """With bounds, whose Jacobian is part of the run's density and not of its likelihood."""
    uniform = 'kind = "uniform"\nlower = -3.0\nupper = 3.0\n'
    run(folder, OLD.format(prior=uniform).replace("20000", "300"), "old")
    (folder / "new.toml").write_text(NEW.format(prior=uniform.replace("3.0", "2.0")))
    forward = vip.load_problem(folder / "new.toml").forward
    models = np.random.default_rng(3).uniform(-1.9, 1.9, (4, 6))
    _, gradient = forward(models)
    for k, row in enumerate(1e-6 * np.eye(6)):
        assert_allclose(gradient[:, k], (forward(models + row)[0] - forward(models - row)[0]) / 2e-6, rtol=1e-5, atol=1e-5)


def test_what_it_refuses(folder):
    uniform = 'kind = "uniform"\nlower = -3.0\nupper = 3.0\n'
    (folder / "new.toml").write_text(NEW.format(prior=uniform))
    with pytest.raises(ConfigError, match="not a run directory"):
        vip.load_problem(folder / "new.toml")
    run(folder, OLD.format(prior=uniform).replace("20000", "20"), "old")
    (folder / "new.toml").write_text(NEW.format(prior=uniform.replace("3.0", "4.0")))
    with pytest.raises(ConfigError, match="the run had -3 to 3; a new prior must lie within"):
        vip.load_problem(folder / "new.toml")
    svgd = OLD.split("[algorithm]")[0].format(prior=uniform)
    svgd += '[algorithm]\nname = "svgd"\nparticles = 4\niterations = 2\nstep_size = 0.1\n'
    (folder / "old.toml").write_text(svgd)
    vip.run(vip.load_problem(folder / "old.toml"), folder / "old", overwrite=True)
    (folder / "new.toml").write_text(NEW.format(prior=uniform))
    with pytest.raises(ConfigError, match="a run of svgd; a density is known of advi and flow only"):
        vip.load_problem(folder / "new.toml")
