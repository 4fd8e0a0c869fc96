"""The front door for objects: what it accepts, what it says of what it cannot use, and runs that need no file."""

import itertools
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import vip
from vip.errors import ConfigError, StoreError
from vip.protocols import ModelSpace, Variable
from vip.runs.status import run_status

PRIOR = vip.priors.Gaussian.diagonal(np.array([0.0, 2.0, -1.0]), np.array([1.0, 2.0, 0.5]))
DATUM, ERROR = np.array([1.0, 1.0, 0.0]), np.array([0.5, 1.0, 0.5])
VARIANCE = 1 / (1 / np.array([1.0, 2.0, 0.5]) ** 2 + 1 / ERROR**2)
MEAN = VARIANCE * (PRIOR.mean / np.array([1.0, 2.0, 0.5]) ** 2 + DATUM / ERROR**2)
"""The posterior of independent data of each parameter, in closed form."""


def of_many(models):
    residual = (models - DATUM) / ERROR
    return -0.5 * (residual**2).sum(axis=1), -residual / ERROR


def of_one(model):
    value, gradient = of_many(model[None])
    return float(value[0]), gradient[0]


class Plugin:
    """A forward with named variables, and data."""

    space = ModelSpace((Variable("depth", "km", ("i",), {"i": np.arange(2.0)}), Variable("shift", "s")))
    observed, sigma = DATUM, ERROR

    def __call__(self, models):
        return of_many(models)

    def simulate(self, models):
        return models.copy()


FORWARDS = {
    "many models": of_many,
    "one model": of_one,
    "a Forward": Plugin(),
    "lists": lambda model: list(of_one(model)),
}


def check(result):
    """Means and deviations, as nearly as the effective samples allow."""
    assert_allclose(result.mean_model, MEAN, atol=0.12)
    assert_allclose(result.std_model, np.sqrt(VARIANCE), rtol=0.15)


@pytest.mark.parametrize("forward", FORWARDS.values(), ids=FORWARDS)
def test_a_forward_of_any_form_gives_the_posterior(forward):
    check(vip.invert(forward, PRIOR, "mala", iterations=1000, seed=1))


@pytest.mark.parametrize("d", [1, 2, 3, 5])
def test_one_model_is_never_taken_for_many(d):
    """Sums over everything, and products that fail or fit by chance for a square array."""
    for function in (lambda x: -0.5 * np.sum(x**2), lambda x: -0.5 * x @ x, lambda x: -0.5 * x[0] ** 2 - 0.0 * x[-1]):
        prior = vip.priors.Gaussian.diagonal(np.zeros(d), np.ones(d))
        forward = vip.make_problem(function, prior, "metropolis").forward
        models = np.random.default_rng(1).standard_normal((4, d))
        assert_array_equal(forward(models)[0], [function(model) for model in models])


WRONG = {
    "a matrix": (lambda x: x, "(2, 3)"),
    "gradients of another size": (lambda x: (x.sum(axis=-1), x[..., :2]), "(2,)"),
    "an error": (lambda x: 1 / 0, "ZeroDivisionError"),
    "three parts": (lambda x: (x.sum(axis=-1), x, x), "(2, 3)"),
}


@pytest.mark.parametrize(("function", "said"), WRONG.values(), ids=WRONG)
def test_a_wrong_shape_is_met_with_the_shape_wanted(function, said):
    with pytest.raises(ConfigError, match=re.escape(said)) as raised:
        vip.invert(function, PRIOR)
    assert "(n,) and (n, d) of models (n, d)" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_without_a_gradient():
    """Methods that need none work; others say what to do; differences are reported with their cost."""
    alone = lambda models: of_many(models)[0]  # noqa: E731
    with pytest.raises(ConfigError, match=r"hmc.*gradient='differences'"):
        vip.invert(alone, PRIOR)
    check(vip.invert(alone, PRIOR, "metropolis", iterations=6000))


def test_differences_are_announced_with_their_cost(caplog):
    check(vip.invert(lambda model: of_one(model)[0], PRIOR, "mala", iterations=1000, gradient="differences"))
    assert "7 evaluations of the forward for each particle" in caplog.text


def test_priors_by_name():
    priors = {
        "depth": vip.priors.Gaussian.diagonal(np.array([0.0, 2.0]), np.array([1.0, 2.0])),
        "shift": vip.priors.Gaussian.diagonal(np.array([-1.0]), np.array([0.5])),
    }
    result = vip.invert(Plugin(), priors, "mala", iterations=1000)
    check(result)
    assert result.mean["depth"].attrs["units"] == "km"
    with pytest.raises(ConfigError, match="depth, shift"):
        vip.invert(Plugin(), {"depth": priors["depth"]})
    with pytest.raises(ConfigError, match="no named variables"):
        vip.invert(of_many, priors)


def test_a_density_needs_no_prior_and_gets_none():
    """Its standard deviation is not narrowed by where the particles start."""
    wide = lambda x: (-0.5 * x @ x / 9, -x / 9)  # noqa: E731
    result = vip.sample(wide, 2, vip.methods.HMC(particles=10), iterations=1000, seed=2)
    assert_allclose(result.std_model, 3, rtol=0.1)
    with pytest.raises(ConfigError, match=r"needs a prior.*vip\.invert"):
        vip.sample(wide, 2, "projected-svgd")


def test_a_plain_loop_is_the_run():
    """The same records as the run's, and it may be left at any of them."""
    samples = [
        record.samples.models
        for record in vip.steps(of_many, PRIOR, "mala", iterations=60, seed=3)
        if record.samples is not None
    ]
    result = vip.invert(of_many, PRIOR, "mala", iterations=60, seed=3)
    assert_array_equal(np.stack(samples, axis=1), result.models)
    some = list(itertools.islice(vip.steps(vip.make_problem(of_many, PRIOR, "mala", seed=3)), 5))
    assert [record.iteration for record in some] == [1, 2, 3, 4, 5]


def test_nothing_is_written_that_was_not_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    vip.invert(of_many, PRIOR, "mala", iterations=100)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_run_goes_on_with_the_same_objects(tmp_path):
    asked = iter(range(1000))
    settings = {"method": "mala", "iterations": 80, "seed": 4, "output": tmp_path / "run"}
    first = vip.invert(of_many, PRIOR, stop=lambda: next(asked) == 50, **settings)
    assert first.status == "interrupted"
    assert run_status(first.store)["iteration"].startswith("50 of 80")
    with pytest.raises(StoreError, match="give the same ones again"):
        vip.resume(tmp_path / "run")
    with pytest.raises(StoreError, match="log_density"):
        vip.invert(lambda models: of_many(models + 0.1), PRIOR, resume=True, **settings)
    again = vip.invert(of_many, PRIOR, resume=True, **settings)
    whole = vip.invert(of_many, PRIOR, **(settings | {"output": tmp_path / "whole"}))
    assert_array_equal(again.models, whole.models)
    with pytest.raises(StoreError, match="holds a run"):
        vip.invert(of_many, PRIOR, **settings)


def test_ctrl_c_leaves_what_was_done():
    def impatient(models):
        calls.append(len(models))
        if len(calls) == 40:
            raise KeyboardInterrupt
        return of_many(models)

    calls = []
    result = vip.invert(impatient, PRIOR, vip.methods.MALA(burn_in=10), iterations=200)
    assert result.status == "interrupted"
    assert len(result.flat) > 100


SCRIPT = """
import numpy as np, vip
PRIOR = vip.priors.Gaussian.diagonal(np.zeros(3), np.ones(3))
def forward(models):
    return -0.5 * ((models - 1) ** 2).sum(axis=1), 1 - models
if __name__ == "__main__":
    runs = [vip.invert(forward, PRIOR, "mala", iterations=40, seed=1, dispatch=engine) for engine in ("serial", "local")]
    print(np.array_equal(runs[0].models, runs[1].models))
"""


def test_workers_get_the_objects_of_a_script(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run([sys.executable, tmp_path / "script.py"], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.strip() == "True"


def test_objects_show_what_they_are(tmp_path):
    result = vip.invert(Plugin(), PRIOR, "mala", iterations=100, output=tmp_path / "run")
    for shown in (result, result.problem, result.store):
        assert shown._repr_html_().startswith("<b>vip.")
        assert "\n" not in repr(shown)
    assert "3 (depth [2] km, shift" in repr(result.problem)
    assert "data: 3" in repr(result.problem)
    assert "verdict" in repr(result)


def test_predictions_are_those_of_the_samples():
    result = vip.invert(Plugin(), PRIOR, "mala", iterations=100)
    assert_array_equal(result.predicted(7), result.equal(7))


def test_progress_without_a_terminal_is_lines(capsys):
    """Neither a terminal nor a notebook: lines with the time of day."""
    vip.invert(of_many, PRIOR, "mala", iterations=30, progress=True)
    assert re.search(r"\d\d:\d\d:\d\d 30/30 log-posterior", capsys.readouterr().err)


def test_the_face_is_whole():
    for name in vip.__all__:
        assert getattr(vip, name) is not None
        assert name in dir(vip)
    assert vip.__version__
    environment = {**os.environ, "PYTHONPATH": ""}
    script = "import sys, vip; print([name for name in sys.modules if name.startswith('vip.')])"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment).stdout
    assert out.strip() == "[]"


def test_iterations_that_do_not_suit_a_method_are_one_line():
    method = vip.methods.HMC(iterations=1000, warm_up=300)
    with pytest.raises(ConfigError, match="warm_up") as caught:
        vip.invert(of_many, PRIOR, method, iterations=200)
    assert "\n" not in str(caught.value)


def test_differences_are_not_made_for_a_method_that_needs_none():
    calls = []

    def log_likelihood(models):
        calls.append(len(models))
        return of_many(models)[0]

    vip.invert(log_likelihood, PRIOR, vip.methods.Metropolis(particles=5, iterations=20), gradient="differences")
    assert sum(calls) < 5 * 25
