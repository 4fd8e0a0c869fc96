"""Methods by name and of the user's own: found, checked, built, run and resumed like those of this package."""

import re
import subprocess
import sys

import numpy as np
import pytest

import vip
from vip.errors import ConfigError, StoreError
from vip.methods import BUILT_IN, SSVGD, ChainMethod, method_class, named
from vip.protocols import ModelSpace, Target, Variable
from vip.testing import ALGORITHM_CHECKS, check_forward, check_method, maker

FORWARD = """
import numpy as np
from vip.protocols import ModelSpace, Variable

class Normal:
    space = ModelSpace((Variable("x", "1", ("i",), {"i": np.arange(3.0)}),))

    @classmethod
    def from_settings(cls, settings, base_dir):
        return cls()

    def __call__(self, models):
        return -0.5 * np.sum(models**2, axis=1), -models
"""
MINE = '''
from typing import ClassVar, NamedTuple

import numpy as np

from vip.methods import Method
from vip.protocols import Info


class Drift(Method):
    """Particles that go along the gradient, with a little noise; no method to take."""

    particles: int = 4
    length: float = 0.1

    def build(self, target):
        return Drifting(self.particles, self.length)


class State(NamedTuple):
    particles: np.ndarray


class Drifting:
    is_chain = rejects = False

    def __init__(self, n, length):
        self.n_particles = self.n_evaluated = n
        self.length = length

    def init(self, theta0):
        return State(theta0)

    def step(self, state, log_density, rng):
        value, gradient, *_ = log_density(state.particles)
        moved = state.particles + self.length * gradient + 0.01 * rng.standard_normal(gradient.shape)
        return State(moved), Info(float(value.mean()), float(np.sqrt(np.mean((moved - state.particles) ** 2))))

    def draw(self, state, n, rng):
        return state.particles
'''
CONFIG = """
[forward]
plugin = "./normal.py:Normal"
[prior.x]
kind = "gaussian"
mean = 0.0
sd = 2.0
[algorithm]
name = "{name}"
iterations = 6
{more}
"""


@pytest.fixture
def config(tmp_path):
    (tmp_path / "normal.py").write_text(FORWARD)
    (tmp_path / "mine.py").write_text(MINE)

    def write(name="./mine.py:Drift", more="length = 0.2"):
        (tmp_path / "problem.toml").write_text(CONFIG.format(name=name, more=more))
        return tmp_path / "problem.toml"

    return write


def target(d=3):
    space = ModelSpace((Variable("v", "km/s", ("x",), {"x": np.arange(float(d))}),))

    def log_prior(theta):
        return -0.5 * (theta**2).sum(axis=1), -theta

    return Target(space, None, log_prior, lambda theta: theta)


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_method_has_defaults(name):
    """Made of nothing in Python, and by its name alone in a configuration."""
    settings = named(name)()
    assert settings.name == name
    assert settings.papers
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*_[0-9]{4}", key) for key in settings.papers)
    if name != "flow":  # needs torch
        assert settings.build(target()).n_particles >= 1


def test_half_of_the_iterations_is_burn_in_where_it_is_left_out():
    assert SSVGD(iterations=300).burn_in == 150
    assert SSVGD(particles=50).with_iterations(60).burn_in == 30
    assert SSVGD(burn_in=7).with_iterations(60).burn_in == 7
    assert SSVGD(particles=50).with_iterations(60).particles == 50


def test_looking_for_methods_loads_no_algorithm():
    script = "import vip.methods, sys; print([m for m in ('torch', 'scipy', 'numpy') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_a_users_method_runs(config, tmp_path):
    problem = vip.load_problem(config())
    assert type(problem.config.algorithm).__name__ == "Drift"
    assert problem.config.algorithm.length == 0.2
    assert tmp_path / "mine.py" in problem.inputs
    result = vip.run(problem, tmp_path / "run")
    assert result.status == "finished"
    assert result.flat.shape == (4, 3)


@pytest.mark.parametrize("check", ALGORITHM_CHECKS.values(), ids=ALGORITHM_CHECKS)
def test_a_users_method_is_held_to_the_same_contract(config, check):
    check(maker(vip.load_problem(config()).config.algorithm))


BROKEN = {
    "purity": ("moved = state.particles +", "moved = state.particles; moved +="),
    "generator": ("rng.standard_normal", "np.random.standard_normal"),
    "checkpoint": ("self.length * gradient", "self.__dict__.setdefault('first', value.mean()) * gradient"),
    "log-density": ("value.mean()", "value.max()"),
    "draws": ("return state.particles", "return state.particles[:, :1]"),
    "evaluations": ("log_density(state.particles)", "[log_density(state.particles) for _ in range(20)][0]"),
    "failures": ("rejects = False", "rejects = True"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_each_check_finds_its_fault(config, tmp_path, name):
    """This test of the tests: a method is broken in one way, and the check of that name says so."""
    config()
    old, new = BROKEN[name]
    assert old in MINE
    (tmp_path / "mine.py").write_text(MINE.replace(old, new))
    settings = vip.load_problem(tmp_path / "problem.toml").config.algorithm
    with pytest.raises((AssertionError, ValueError)):
        ALGORITHM_CHECKS[name](maker(settings))
    with pytest.raises((AssertionError, ValueError)):
        check_method(settings)


def test_a_users_forward_is_checked(config, tmp_path):
    check_forward(config())
    (tmp_path / "normal.py").write_text(FORWARD.replace(", -models", ", -2 * models"))
    with pytest.raises(AssertionError, match="gradient"):
        check_forward(tmp_path / "problem.toml")


def test_a_users_method_is_found_when_its_run_is_resumed_elsewhere(config, tmp_path, monkeypatch):
    """The run directory has a copy of the configuration: the reference in it starts at the folder of the original."""
    whole = vip.run(vip.load_problem(config()), tmp_path / "whole")
    calls = iter([False] * 3 + [True])
    vip.run(vip.load_problem(config()), tmp_path / "elsewhere" / "run", stop=lambda: next(calls))
    monkeypatch.chdir("/")
    resumed = vip.resume(tmp_path / "elsewhere" / "run")
    assert resumed.status == "finished"
    np.testing.assert_array_equal(resumed.models, whole.models)


def test_a_users_method_that_has_changed_is_refused(config, tmp_path):
    vip.run(vip.load_problem(config()), tmp_path / "run", stop=iter([False, True]).__next__)
    (tmp_path / "mine.py").write_text(MINE.replace("0.01", "0.02"))
    with pytest.raises(StoreError, match="has changed"):
        vip.resume(tmp_path / "run")


@pytest.mark.parametrize("kind", ["local"])
def test_workers_need_not_find_a_users_method(config, tmp_path, kind):
    problem = vip.load_problem(config())
    here = vip.run(problem, tmp_path / "here")
    dispatch = problem.dispatch.model_copy(update={"kind": kind, "workers": 1, "threads": 1})
    there = vip.run(problem, tmp_path / "there", dispatch=dispatch)
    np.testing.assert_array_equal(there.models, here.models)


FAULTS = {
    "unknown key": ("./mine.py:Drift", "lenght = 0.2", "algorithm.lenght: 0.2: unknown key; did you mean 'length'?"),
    "wrong type": ("./mine.py:Drift", 'length = "far"', "algorithm.length: far: Input should be a valid number"),
    "no class": ("./mine.py:Nothing", "", "algorithm.name: ./mine.py:Nothing: ./mine.py has no Nothing"),
    "no method": ("./mine.py:Drifting", "", "algorithm.name: ./mine.py:Drifting: expected a class that derives from"),
    "no file": ("./yours.py:Drift", "", "algorithm.name: ./yours.py:Drift: there is no file"),
    "no module": ("no_such.module:Drift", "", "algorithm.name: no_such.module:Drift: cannot be imported"),
}


@pytest.mark.parametrize(("name", "more", "expected"), FAULTS.values(), ids=FAULTS)
def test_faults_of_a_users_method(config, name, more, expected):
    file = config(name, more)
    with pytest.raises(ConfigError) as caught:
        vip.load_problem(file)
    assert str(caught.value).startswith(f"{file}: {expected}")
    assert "\n" not in str(caught.value)


def test_several_faults_of_a_users_method_are_several_lines(config):
    with pytest.raises(ConfigError) as caught:
        vip.load_problem(config(more='lenght = 0.2\nparticles = "many"'))
    assert len(str(caught.value).split("\n")) == 2


@pytest.fixture
def other_package(tmp_path, monkeypatch):
    """A distribution with an entry point."""
    info = tmp_path / "other-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[vip.methods]\nof-another = other_methods:Other\n")
    (tmp_path / "other_methods.py").write_text(MINE.replace("class Drift(", "class Other("))
    monkeypatch.syspath_prepend(tmp_path)


def test_an_installed_method_is_found_by_its_entry_point(other_package, config, tmp_path):
    assert method_class("of-another", tmp_path).__name__ == "Other"
    assert vip.load_problem(config("of-another")).config.algorithm.length == 0.2
    with pytest.raises(ConfigError, match=r"'hmc'.*'of-another'"):
        vip.load_problem(config("unheard-of"))


def test_chains_of_the_user_share_the_bases():
    class Mine(ChainMethod):
        name: str = "mine"

    assert Mine(iterations=10).burn_in == 5
