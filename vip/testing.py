"""The contracts of methods and forwards, as checks that anyone can run on their own.

In a file of tests, for pytest or any other runner::

    import pytest, vip.testing
    from mine import Mine

    @pytest.mark.parametrize("check", vip.testing.ALGORITHM_CHECKS.values(), ids=vip.testing.ALGORITHM_CHECKS)
    def test_my_method(check):
        check(vip.testing.maker(Mine(particles=10)))

    def test_my_forward():
        vip.testing.check_forward("problem.toml")

The algorithms of this package pass the same checks. Each raises AssertionError and says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from vip.diagnose.forward_tests import examine
from vip.methods.base import Method
from vip.protocols import Algorithm, Evaluated, Floats, Info, LogDensity, ModelSpace, Target, Variable
from vip.rng import Purpose, stream
from vip.runs.build import load_problem
from vip.runs.problem import Problem
from vip.runs.store import flatten, unflatten

D = 3
"""Number of parameters of the log-density that methods are tried on."""
WALL = 0.2
"""Value of an entry above which the log-density that fails for some models fails."""
STEPS = (1, 3, 6)
"""Numbers of iterations after which a step is checked: phases of a method are this short in the tests of this package."""

Make = Callable[[int], Algorithm]
"""Makes a new algorithm for a number of parameters."""


def check_method(settings: Method) -> None:
    """Run all checks on the algorithm that a method builds.

    Parameters
    ----------
    settings : Method
        A method with its settings, such as ``Mine(particles=10)``.

    Raises
    ------
    AssertionError
        If it breaks the contract of `vip.protocols.Algorithm`; the message says how.
    """
    check_algorithm(maker(settings))


def check_algorithm(make: Make) -> None:
    """Run all of `ALGORITHM_CHECKS`.

    Parameters
    ----------
    make : callable
        Makes a new algorithm for a number of parameters.

    Raises
    ------
    AssertionError
        If it breaks the contract of `vip.protocols.Algorithm`; the message says how.
    """
    for check in ALGORITHM_CHECKS.values():
        check(make)


def check_forward(problem: Problem | str | Path) -> None:
    """Run the tests of ``vip check``: shapes, types, finite values, determinism, independence of the batch, gradient.

    Parameters
    ----------
    problem : Problem or path
        The forward with its prior, or the configuration that names both.

    Raises
    ------
    AssertionError
        If a test fails; the message has a line for each that does.
    """
    found = examine(load_problem(problem) if isinstance(problem, str | Path) else problem)
    failed = [f"{verdict.name}: {verdict}" for verdict in found if verdict.outcome == "FAILED"]
    _require(not failed, "\n".join(failed))


def maker(settings: Method) -> Make:
    """A function that makes a method's algorithm for a number of parameters, with a normal prior and entries on a line."""

    def make(d: int) -> Algorithm:
        space = ModelSpace((Variable("v", "1", ("x",), {"x": np.arange(float(d))}),))
        return settings.build(Target(space, _Asymmetric(space), _wide_prior, lambda theta: theta))

    return make


def asymmetric(theta: Floats) -> Evaluated:
    """An asymmetric log-density (n,) whose entries differ, and its gradient (n, d)."""
    scale = 1 + np.arange(theta.shape[1])
    z = theta / scale - 0.5
    return Evaluated(-(z**2 / 2 + z**4 / 12).sum(axis=1), -(z + z**3 / 3) / scale)


def _wide_prior(theta: Floats) -> tuple[Floats, Floats]:
    return -0.05 * (theta**2).sum(axis=1), -0.1 * theta


class _Asymmetric:
    """The forward whose log-likelihood belongs to the log-density."""

    def __init__(self, space: ModelSpace) -> None:
        self.space = space

    def __call__(self, models: Floats) -> tuple[Floats, Floats]:
        found, (prior, by_prior) = asymmetric(models), _wide_prior(models)
        return found.value - prior, found.gradient - by_prior


def _start(algorithm: Algorithm, d: int = D) -> Any:
    return algorithm.init(stream(1, 0, Purpose.START).standard_normal((algorithm.n_particles, d)))


def _advance(
    algorithm: Algorithm, state: Any, steps: int, first: int = 0, log_density: LogDensity = asymmetric
) -> tuple[Any, Info]:
    info = Info(np.nan, np.nan)
    with threadpool_limits(1, user_api="blas"):  # as in a run
        for iteration in range(first, first + steps):
            state, info = algorithm.step(state, log_density, stream(1, iteration, Purpose.STEP))
    return state, info


def _require(holds: object, fault: str) -> None:
    if not holds:
        raise AssertionError(fault)


def _require_same(found: Any, expected: Any, fault: str) -> None:
    """Require that two states are the same to the last bit."""
    a, b = flatten(found), flatten(expected)
    _require(a.keys() == b.keys(), f"{fault}: the states have different fields")
    for key, value in a.items():
        _require(np.array_equal(value, b[key], equal_nan=True), f"{fault}: {key} of the state differs")


def _checkpoint(make: Make) -> None:
    """A state is arrays, numbers and NamedTuples; put into another algorithm's state, it continues to the same samples."""
    algorithm, another = make(D), make(D)
    half, _ = _advance(algorithm, _start(algorithm), 3)
    whole, _ = _advance(algorithm, half, 4, first=3)
    leaves = {key: np.copy(value) if isinstance(value, np.ndarray) else value for key, value in flatten(half).items()}
    template = another.init(np.random.default_rng(2).standard_normal((another.n_particles, D)))
    restored = unflatten(template, leaves)
    _require(type(restored) is type(half), f"init makes a {type(template).__name__}, step a {type(half).__name__}")
    _require_same(restored, half, "a checkpoint is not the whole state")
    _require_same(_advance(another, restored, 4, first=3)[0], whole, "resumed is not as uninterrupted")


def _purity(make: Make) -> None:
    """Neither the state that a step gets nor anything inside the algorithm changes."""
    algorithm = make(D)
    for steps in STEPS:
        state, _ = _advance(algorithm, _start(algorithm), steps)
        before = {key: np.copy(value) for key, value in flatten(state).items()}
        for value in flatten(state).values():
            if isinstance(value, np.ndarray):
                value.flags.writeable = False
        once, info = _advance(algorithm, state, 1, first=steps)
        _advance(algorithm, once, 2)
        again, info_again = _advance(algorithm, state, 1, first=steps)
        _require_same(once, again, "the same step from the same state with the same random numbers is another")
        _require(info == info_again, "the same step says something else of itself the second time")
        for key, value in flatten(state).items():
            _require(np.array_equal(value, before[key], equal_nan=True), f"a step changes {key} of the state that it gets")


def _generator(make: Make) -> None:
    """Random numbers come from the generator that a step gets, and from no global one."""
    algorithm = make(D)
    np.random.seed(7)  # noqa: NPY002
    before = np.random.get_state(legacy=False)  # noqa: NPY002
    state, _ = _advance(algorithm, _start(algorithm), 6)
    algorithm.draw(state, 4, stream(1, 6, Purpose.DRAW))
    after = np.random.get_state(legacy=False)  # noqa: NPY002
    same = np.array_equal(before["state"]["key"], after["state"]["key"]) and before["state"]["pos"] == after["state"]["pos"]
    _require(same, "it uses NumPy's global random generator")


def _evaluations(make: Make) -> None:
    """It evaluates (n, d) of double precision, no more models than it announces, and moves; what it reports is finite."""
    for d in (1, D):
        algorithm = make(d)
        asked: list[int] = []

        def watched(theta: Floats, d: int = d, asked: list[int] = asked) -> Evaluated:
            _require(theta.dtype == np.float64 and theta.ndim == 2, f"it evaluates {theta.dtype} of shape {theta.shape}")
            _require(theta.shape[1] == d, f"it evaluates models of {theta.shape[1]} parameters, expected {d}")
            asked.append(len(theta))
            return asymmetric(theta)

        state, moved = _start(algorithm, d), 0.0
        for iteration in range(8):
            before = state
            state, info = _advance(algorithm, state, 1, iteration, watched)
            _require(isinstance(info, Info), f"a step returns {type(info).__name__}, expected Info")
            numbers = [info.log_density, info.step, *info.more.values()]
            _require(np.isfinite(numbers).all(), f"what a step reports is not finite: {numbers}")
            _require(type(state) is type(before), "the state changes its type")
            moved += info.step
        _require(moved > 0, "it never moves")
        # The first step of a chain also evaluates where it starts; some algorithms need fewer at times.
        most = 16 * algorithm.n_evaluated + algorithm.n_particles
        _require(
            sum(asked) <= most, f"it evaluates {sum(asked)} models in 8 steps; n_evaluated says {algorithm.n_evaluated} a step"
        )


def _draws(make: Make) -> None:
    """An approximation gives as many draws as were asked for; any other algorithm gives its particles, whatever the number."""
    for d in (1, D):
        algorithm = make(d)
        state = _start(algorithm, d)
        drawn = [algorithm.draw(state, n, stream(1, 0, Purpose.DRAW)) for n in (1, 7)]
        for draws in drawn:
            _require(draws.dtype == np.float64, f"draws are {draws.dtype}, expected float64")
            _require(draws.ndim == 2 and draws.shape[1] == d, f"draws have shape {draws.shape}, expected (n, {d})")
        counts = [len(draws) for draws in drawn]
        _require(counts == [1, 7] or counts[0] == counts[1], f"asked for 1 and 7 draws it gives {counts[0]} and {counts[1]}")


def _reported(make: Make) -> None:
    """The log-density that a step reports is the mean over the models that it evaluated last."""
    algorithm = make(D)
    values: list[Floats] = []

    def watched(theta: Floats) -> Evaluated:
        values.append(asymmetric(theta).value)
        return asymmetric(theta)

    _, info = _advance(algorithm, _start(algorithm), 1, 0, watched)
    expected = values[-1].mean()
    _require(np.isclose(info.log_density, expected, rtol=1e-12), f"it reports {info.log_density}, the mean was {expected}")


def _failures(make: Make) -> None:
    """An algorithm that rejects never stays where the log-density is -inf, and never reports nan."""
    algorithm = make(D)
    if not algorithm.rejects:
        return

    def half_space(theta: Floats) -> Evaluated:
        value, gradient, *_ = asymmetric(theta)
        fails = np.any(theta > WALL, axis=1, keepdims=True)
        return Evaluated(np.where(fails[:, 0], -np.inf, value), np.where(fails, 0.0, gradient))

    state = algorithm.init(-np.abs(stream(1, 0, Purpose.START).standard_normal((algorithm.n_particles, D))))
    for iteration in range(20):
        # A warm-up has no rejection: what it left beyond comes back as soon as a step may be refused.
        state, info = _advance(algorithm, state, 1, iteration, half_space)
        _require(not np.isnan(info.log_density), "where models fail it reports a log-density of nan")
    particles = getattr(state, "particles", None)
    beyond = 0.0 if particles is None else float(np.mean(particles > WALL))
    _require(beyond < 0.1, f"{beyond:.0%} of its entries are where the log-density is -inf")


ALGORITHM_CHECKS: Mapping[str, Callable[[Make], None]] = MappingProxyType(
    {
        "checkpoint": _checkpoint,
        "purity": _purity,
        "generator": _generator,
        "evaluations": _evaluations,
        "draws": _draws,
        "log-density": _reported,
        "failures": _failures,
    }
)
"""Checks of the contract of an algorithm, by name; each takes a function that makes one, see `maker`."""
