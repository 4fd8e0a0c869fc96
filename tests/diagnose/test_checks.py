"""`vip check`: a plugin that is broken in one way for each test, and that the test names the fault, where and by how much."""

import os
import textwrap
import threading

import numpy as np
import pytest

import vip as package
import vip.protocols as vip_protocols
from vip.diagnose.checks import check_problem
from vip.diagnose.gradients import worst_entry

SOUND = '''
import os, threading, time
import numpy as np
from vip.protocols import ModelSpace, Variable

class Sound:
    """log L = -1/2 sum_j c_j v_j^2 over a map and a level, sound by itself."""

    def __init__(self, **settings):
        coords = {"y": np.arange(2.0), "x": np.arange(3.0)}
        self.space = ModelSpace((Variable("v", "km/s", ("y", "x"), coords), Variable("level", "s")))
        self.ndim, self.c, self.calls = 7, np.arange(1.0, 8.0), 0

    @classmethod
    def from_settings(cls, settings, base_dir):
        return cls(**settings)

    def __call__(self, models):
        return -0.5 * (models**2 * self.c).sum(axis=1), -models * self.c
'''

CONFIG = """
seed = 4
[forward]
plugin = "./plugin.py:{name}"
[prior.v]
kind = "uniform"
lower = 1.0
upper = 3.0
[prior.level]
kind = "gaussian"
mean = 0.5
sd = 0.1
[algorithm]
name = "svgd"
particles = 4
iterations = 10
step_size = 0.1
"""


def check(folder, body="", name="Broken", config=CONFIG):
    """The check of a subclass of `Sound`."""
    source = SOUND if name == "Sound" else f"{SOUND}\n\nclass Broken(Sound):\n{textwrap.indent(textwrap.dedent(body), '    ')}"
    (folder / "plugin.py").write_text(source)
    (folder / "check.toml").write_text(config.format(name=name))
    return check_problem(package.load_problem(folder / "check.toml"))


def test_a_sound_forward_passes_every_test(tmp_path):
    result = check(tmp_path, name="Sound")
    assert [str(v) for v in result.verdicts if v.outcome != "passed"] == []
    assert {v.name for v in result.verdicts} == {
        "output shapes",
        "output type",
        "finite output",
        "own arrays",
        "determinism",
        "batch independence",
        "gradient",
        "in another process",
        "two threads at once",
    }
    assert result.cost.iterations == 10
    assert "time per particle" in dict(result.rows())


BROKEN = {
    "raises": (
        "def __call__(self, models):\n    raise RuntimeError('no convergence')",
        "evaluation",
        ["5 models", "RuntimeError: no convergence"],
    ),
    "shape": (
        "def __call__(self, models):\n    v, g = super().__call__(models)\n    return v[:, None], g",
        "output shapes",
        ["(5, 1) and (5, 7), expected (5,) and (5, 7)"],
    ),
    "single precision": (
        "def __call__(self, models):\n    v, g = super().__call__(models)\n    return v, g.astype('f4')",
        "output type",
        ["the gradient is ndarray of float32", "float64"],
    ),
    "list": (
        "def __call__(self, models):\n    v, g = super().__call__(models)\n    return v.tolist(), g",
        "output type",
        ["the log-likelihood is list"],
    ),
    "not finite": (
        "def __call__(self, models):\n    v, g = super().__call__(models)\n    g[2, 4] = np.inf\n    return v, g",
        "finite output",
        ["gradient of model 2, parameter 4 (v[1, 1]) is inf"],
    ),
    "changes its models": (
        "def __call__(self, models):\n    result = super().__call__(models)\n    models -= 1\n    return result",
        "own arrays",
        ["changes the models", "copy"],
    ),
    "returns its own memory": (
        """
        memory = np.empty((100, 7))
        def __call__(self, models):
            v, g = super().__call__(models)
            self.memory[:len(g)] = g
            return v, self.memory[:len(g)]
        """,
        "own arrays",
        ["change at the next", "new ones"],
    ),
    "remembers": (
        """
        def __call__(self, models):
            v, g = super().__call__(models)
            self.calls += 1
            g[1, 6] += 100 * self.calls
            return v, g
        """,
        "determinism",
        ["parameter 6 (level)", "at first", "the second time"],
    ),
    "depends on its batch": (
        "def __call__(self, models):\n    v, g = super().__call__(models)\n    v += 1e-9 * len(models)\n    return v, g",
        "batch independence",
        ["log-likelihood of model 0 is -", "in a batch of 5", "alone"],
    ),
    "depends on its place": (
        "def __call__(self, models):\n    v, g = super().__call__(models)\n    g[0, 5] *= 1 + 1e-12\n    return v, g",
        "batch independence",
        ["gradient of model 0, parameter 5 (v[1, 2])", "in another order"],
    ),
    "squeezes a batch of one": (
        "def __call__(self, models):\n    v, g = super().__call__(models)\n    return np.squeeze(v), np.squeeze(g)",
        "batch independence",
        ["shape (1,) in a batch of 5", "() alone"],
    ),
    "depends on its threads": (
        """
        threads = 1
        def __call__(self, models):
            v, g = super().__call__(models)
            return v * (1 + 1e-15 * self.threads), g
        """,
        "thread independence",
        ["log-likelihood of model 0", "with threads ="],
    ),
    "reads its environment": (
        """
        def __call__(self, models):
            v, g = super().__call__(models)
            return v + (os.getpid() != PARENT), g
        """,
        "in another process",
        ["log-likelihood of model 0 is", "here", "in another process"],
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_each_fault_is_named(tmp_path, fault):
    body, name, parts = BROKEN[fault]
    result = check(tmp_path, body.replace("PARENT", str(os.getpid())))
    assert name in [verdict.name for verdict in result.failures]
    detail = next(verdict.detail for verdict in result.failures if verdict.name == name)
    for part in parts:
        assert part in detail
    assert f"FAILED: {detail}" in dict(result.rows())[name]


@pytest.mark.parametrize("entry", [0, 3, 6])
def test_the_wrong_entry_of_a_gradient_is_named_with_both_values(tmp_path, entry):
    body = f"def __call__(self, models):\n    v, g = super().__call__(models)\n    g[:, {entry}] *= -0.5\n    return v, g"
    result = check(tmp_path, body)
    (failure,) = result.failures
    assert failure.name == "gradient"
    name = ["v[0, 0]", "", "", "v[1, 0]", "", "", "level"][entry]
    assert f"parameter {entry} ({name}): " in failure.detail
    analytic, difference = map(float, failure.detail.rpartition("): ")[2].split(", by finite differences "))
    assert difference < 0 < analytic
    np.testing.assert_allclose(analytic, -0.5 * difference, rtol=1e-4)


def test_a_wrong_gradient_of_a_prior_is_not_blamed_on_the_forward(tmp_path):
    prior = """
class Wrong:
    def __init__(self, variable):
        self.lower, self.upper = np.full(1, -np.inf), np.full(1, np.inf)
    def log_density(self, models):
        return -1e4 * ((models - 1) ** 2).sum(axis=1), np.zeros(models.shape)
    def sample(self, n, rng):
        return rng.normal(0.5, 0.1, (n, 1))
"""
    (tmp_path / "prior.py").write_text(f"import numpy as np\n{prior}")
    config = CONFIG.replace('kind = "gaussian"\nmean = 0.5\nsd = 0.1', 'kind = "custom"\nplugin = "./prior.py:Wrong"')
    (failure,) = check(tmp_path, name="Sound", config=config).failures
    assert failure.name == "gradient"
    assert "see the prior" in failure.detail


def test_a_forward_that_cannot_bear_two_threads_is_noted_only(tmp_path):
    body = """
    def __call__(self, models):
        self.calls += 1
        time.sleep(0.1)
        v, g = super().__call__(models)
        together, self.calls = self.calls > 1, 0
        return v + together, g
    """
    result = check(tmp_path, body)
    assert result.failures == []
    (note,) = [verdict for verdict in result.verdicts if verdict.outcome == "note"]
    assert note.name == "two threads at once"
    assert "log-likelihood of model 0" in note.detail
    assert "no engine" in note.detail


def test_a_crash_beside_another_thread_does_not_end_the_check(tmp_path):
    body = """
    def __call__(self, models):
        if threading.current_thread() is not threading.main_thread():
            os.abort()
        return super().__call__(models)
    """
    result = check(tmp_path, body)
    assert result.failures == []
    assert "fails" in dict(result.rows())["two threads at once"]


def test_a_forward_that_workers_cannot_build_is_named(tmp_path):
    body = f"""
    def __init__(self, **settings):
        super().__init__()
        if os.getpid() != {os.getpid()}:
            raise OSError("licence is taken")
    """
    (failure,) = check(tmp_path, body).failures
    assert failure.name == "in another process"
    assert "licence is taken" in failure.detail


def test_the_cost_of_finite_differences_is_said(tmp_path):
    body = "gradient_runs = 15"
    result = check(tmp_path, body)
    assert result.failures == []
    assert dict(result.rows())["gradient by finite differences"] == "15 forward runs a gradient"


def test_a_slow_forward_is_evaluated_less(tmp_path):
    body = """
    def __call__(self, models):
        (self.log).open("a").write("x" * len(models))
        time.sleep(0.06 * (len(models) == 1))
        return super().__call__(models)
    """
    counted = {}
    for name, slow in (("fast", False), ("slow", True)):
        log = tmp_path / name
        text = f"from pathlib import Path\nlog = Path({str(log)!r})\n{textwrap.dedent(body)}"
        check(tmp_path, text if slow else text.replace("0.06", "0.0"))
        counted[name] = len(log.read_text())
    assert counted["slow"] < 120 < counted["fast"]


@pytest.mark.parametrize("position", [0, 517, 999])
def test_one_wrong_entry_of_a_thousand_is_found_by_halving(position):
    calls = []

    def log_density(theta):
        calls.append(len(theta))
        gradient = -2 * theta
        gradient[:, position] += 0.3
        return -(theta**2).sum(axis=1), gradient

    rng = np.random.default_rng(position)
    theta = rng.standard_normal((1, 1000))
    found = worst_entry(log_density, theta, rng)
    assert found.position == position
    np.testing.assert_allclose(found.analytic - found.difference, 0.3, atol=1e-4)
    assert sum(calls) < 400


def test_a_forward_that_cannot_be_sent_to_another_process_is_noted():
    class Kept:
        """A Gaussian that holds something which only this process has."""

        space = vip_protocols.ModelSpace((vip_protocols.Variable("v", "km/s", ("x",), {"x": np.arange(2.0)}),))
        ndim = 2
        held = threading.Lock()

        def __call__(self, models):
            assert not self.held.locked()
            return -0.5 * (models**2).sum(axis=1), -models

    prior = package.priors.Uniform(np.zeros(2), np.ones(2))
    problem = package.make_problem(Kept(), prior, package.methods.SVGD(particles=2, iterations=2))
    found = check_problem(problem)
    assert not found.failures
    assert "cannot be sent there" in dict(found.rows())["in another process"]


def test_a_forward_without_gradient_and_a_method_that_ends_itself():
    class Values:
        """A Gaussian that knows no gradient."""

        space = vip_protocols.ModelSpace((vip_protocols.Variable("v", "km/s", ("x",), {"x": np.arange(2.0)}),))
        ndim, has_gradient = 2, False

        def __call__(self, models):
            return -0.5 * (models**2).sum(axis=1), np.zeros(models.shape)

    prior = package.priors.Uniform(-np.ones(2), np.ones(2))
    found = check_problem(package.make_problem(Values(), prior, package.methods.Nested(particles=20)))
    assert not found.failures
    rows = dict(found.rows())
    assert rows["gradient"] == "the forward gives none, and the method asks for none"
    assert rows["estimated run time"].startswith("at most ")
