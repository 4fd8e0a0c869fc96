"""Tests of a forward with its prior, for any plugin: a verdict for each test, with the entry and the values at fault.

They test what dispatchers and algorithms rely on: shapes, double precision, finite values; the same values each time, in any
batch, in any process; a gradient that is the log-likelihood's.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import cloudpickle
import numpy as np
from threadpoolctl import threadpool_limits

from vip.diagnose.gradients import TOLERANCE, gradient_error, worst_entry
from vip.errors import ForwardError
from vip.protocols import Batches, ByDifferences, Floats, Forward, ModelSpace, UsesThreads, WithoutGradient
from vip.rng import Purpose, stream
from vip.runs.problem import Problem

MODELS, MODELS_IF_SLOW = 5, 3
POINTS, POINTS_IF_SLOW = 3, 1
"""Number of points at which the gradient is tested."""
WORKER_SECONDS = 600.0
OUTPUTS = ("log-likelihood", "gradient")

Outputs = tuple[Floats, Floats]
"""Log-likelihood (n,) and gradient (n, d)."""


class Verdict(NamedTuple):
    """Outcome of one test."""

    name: str
    outcome: Literal["passed", "FAILED", "note"]
    """Whether the test passed; a "note" reports something that a run can do without."""
    detail: str = ""

    def __str__(self) -> str:
        return self.detail if self.outcome == "note" else ": ".join(part for part in (self.outcome, self.detail) if part)


def examine(problem: Problem, is_slow: bool = False) -> list[Verdict]:
    """Run all tests at models drawn from the prior; after a failure of shapes, types or values, no further ones.

    Parameters
    ----------
    problem : Problem
    is_slow : bool
        Whether to use fewer evaluations.
    """
    forward, rng = problem.forward, stream(problem.config.seed, 0, Purpose.CHECK)
    lanes = forward.batch + 1 if isinstance(forward, Batches) and not is_slow else 1
    models = np.array(problem.sample_prior(max(MODELS_IF_SLOW if is_slow else MODELS, lanes), rng))
    with threadpool_limits(1, user_api="blas"):  # as in a run
        found, first = _output(forward, models)
        if first is None:
            return found
        again = {
            "own arrays": _arrays,
            "determinism": _determinism,
            "batch independence": _batch,
            **({"thread independence": _thread_number} if isinstance(forward, UsesThreads) else {}),
        }
        return [
            *found,
            *(_judge(name, partial(test, forward, models, first)) for name, test in again.items()),
            _gradient(problem, models, rng, is_slow),
            *_differences(forward),
            *_worker(problem, models[:2], first),
        ]


def _judge(name: str, find_fault: Callable[[], str]) -> Verdict:
    """The verdict of a test; the test returns what is wrong, or an empty text."""
    try:
        fault = find_fault()
    except Exception as error:  # a user's forward may raise anything
        fault = _reason(error)
    return Verdict(name, "FAILED" if fault else "passed", fault)


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, ForwardError) else f"{type(error).__name__}: {error}"


def _output(forward: Forward, models: Floats) -> tuple[list[Verdict], Outputs | None]:
    """Verdicts on shape, type and finite values of what the forward returns; and a copy of that, if they are passed."""
    try:
        values, gradients = forward(models.copy())
    except Exception as error:  # a user's forward may raise anything
        fault = f"at {len(models)} models drawn from the prior: {_reason(error)}"
        return [Verdict("evaluation", "FAILED", fault)], None
    verdicts = []
    for name, test in {"output shapes": _shapes, "output type": _types, "finite output": _finite}.items():
        verdicts.append(_judge(name, partial(test, forward, models, (values, gradients))))
        if verdicts[-1].outcome == "FAILED":
            return verdicts, None
    return verdicts, (values.copy(), gradients.copy())


def _shapes(forward: Forward, models: Floats, outputs: Outputs) -> str:
    found, expected = tuple(map(np.shape, outputs)), (models.shape[:1], models.shape)
    fault = f"of log-likelihood and gradient are {found[0]} and {found[1]}, expected {expected[0]} and {expected[1]}"
    return "" if found == expected else fault


def _types(forward: Forward, models: Floats, outputs: Outputs) -> str:
    for name, output in zip(OUTPUTS, outputs, strict=True):
        if not isinstance(output, np.ndarray) or output.dtype != np.float64:
            found = f"{type(output).__name__} of {getattr(output, 'dtype', 'no dtype')}"
            return f"the {name} is {found}; return a NumPy array of float64"
    return ""


def _finite(forward: Forward, models: Floats, outputs: Outputs) -> str:
    for name, output in zip(OUTPUTS, outputs, strict=True):
        for at in map(tuple, np.argwhere(~np.isfinite(output))):
            return f"{_place(name, at, forward.space)} is {output[at]}, at a model drawn from the prior"
    return ""


def _arrays(forward: Forward, models: Floats, first: Outputs) -> str:
    """What is wrong if a call changes its argument, or a later call changes what an earlier one returned."""
    outputs, given = forward(models.copy()), models[::-1].copy()
    kept = outputs[0].copy(), outputs[1].copy()
    forward(given)
    if not np.array_equal(given, models[::-1]):
        return "the forward changes the models that it is given: let it work on a copy"
    if _difference(kept, outputs, forward.space, "", ""):
        return "the arrays that a call returned change at the next: return new ones"
    return ""


def _determinism(forward: Forward, models: Floats, first: Outputs) -> str:
    """What is wrong if a second call does not give what the first gave."""
    return _difference(first, forward(models.copy()), forward.space, "at first", "the second time")


def _batch(forward: Forward, models: Floats, first: Outputs) -> str:
    """What is wrong if a particle's value and gradient change, by a bit, in another order or alone."""
    batch = f"in a batch of {len(models)}"
    values, gradients = forward(models[::-1].copy())
    fault = _difference(first, (values[::-1], gradients[::-1]), forward.space, batch, "in another order")
    for i in range(len(models)):
        together, alone = (first[0][i : i + 1], first[1][i : i + 1]), forward(models[i : i + 1].copy())
        fault = fault or _difference(together, alone, forward.space, batch, "alone", i)
    return fault


def _thread_number(forward: Any, models: Floats, first: Outputs) -> str:
    """What is wrong if the forward's result depends on the number of its own threads."""
    before = forward.threads
    forward.threads = 1 if before > 1 else 2
    try:
        return _difference(first, forward(models.copy()), forward.space, f"with threads = {before}", f"with {forward.threads}")
    finally:
        forward.threads = before


def _gradient(problem: Problem, models: Floats, rng: np.random.Generator, is_slow: bool) -> Verdict:
    """Directional differences of the log-posterior at some points; if they disagree, the entry that is most at fault."""
    if isinstance(problem.forward, WithoutGradient) and not problem.forward.has_gradient:
        return Verdict("gradient", "note", "the forward gives none, and the method asks for none")
    points = models[: POINTS_IF_SLOW if is_slow else POINTS]
    try:
        errors = [gradient_error(problem.log_density, problem.transform.to_theta(m[None]), rng, is_slow) for m in points]
    except ForwardError as failure:
        return Verdict("gradient", "FAILED", f"near a model drawn from the prior: {failure}")
    error, model = max(errors), points[int(np.argmax(errors))]
    if error < TOLERANCE:
        return Verdict("gradient", "passed", f"error {error:.1e}")
    # The forward alone, of an entry's distance from the model: as large as the prior's spread, and never beyond its bounds.
    room = np.minimum(model - problem.prior.lower, problem.prior.upper - model)
    scale = np.minimum(models.std(axis=0), room / 2)

    def log_likelihood(distance: Floats) -> Outputs:
        values, gradients = problem.forward(model + scale * distance)
        return values, gradients * scale

    here = np.zeros((1, len(model)))
    if gradient_error(log_likelihood, here, rng, is_slow) < TOLERANCE:
        return Verdict("gradient", "FAILED", f"error {error:.1e}; the forward's own is right: see the prior's")
    worst = worst_entry(log_likelihood, here, rng, is_slow)
    place = _place("gradient", (errors.index(error), worst.position), problem.space)
    unit = scale[worst.position]
    values = f"{worst.analytic / unit:.6g}, by finite differences {worst.difference / unit:.6g}"
    return Verdict("gradient", "FAILED", f"error {error:.1e}; the worst entry found is {place}: {values}")


def _differences(forward: Forward) -> Iterator[Verdict]:
    """Cost of a gradient by finite differences, which the code itself does not give."""
    if isinstance(forward, ByDifferences):
        yield Verdict("gradient by finite differences", "note", f"{forward.gradient_runs} forward runs a gradient")


def _worker(problem: Problem, models: Floats, first: Outputs) -> Iterator[Verdict]:
    """Whether a new process builds the forward from its settings, as workers do, and it gives the same there.

    Two threads then call it at once, in that process: a code that cannot bear it may bring down more than itself. It is
    only noted, since dispatchers never do so.
    """
    built, threads = "in another process", "two threads at once"
    expected = first[0][: len(models)], first[1][: len(models)]
    with tempfile.TemporaryDirectory(prefix="vip-check-") as folder:
        try:
            task = cloudpickle.dumps((problem.build, models, Path(folder)))
        except Exception as error:  # a forward made in Python may refuse in any way
            yield Verdict(built, "note", f"cannot be sent there, so that it runs in this process alone: {_reason(error)}")
            return
        command = [sys.executable, "-P", "-c", "from vip.diagnose.forward_tests import _serve; _serve()"]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}  # what can be imported here, and no more
        try:
            done = subprocess.run(
                command, input=task, env=environment, capture_output=True, timeout=WORKER_SECONDS, check=False
            )
            reason = done.stderr.decode(errors="replace").strip().rpartition("\n")[2] or f"it ended with {done.returncode}"
        except subprocess.TimeoutExpired:
            reason = f"not done after {WORKER_SECONDS:g} s"
        found = [_load(Path(folder) / f"{name}.npz") for name in ("alone", "first", "second")]
    if found[0] is None:
        yield Verdict(built, "FAILED", f"the forward cannot be built or evaluated there: {reason}")
        return
    detail = _difference(expected, found[0], problem.space, "here", "in another process")
    yield Verdict(built, "FAILED" if detail else "passed", detail)
    detail = ""
    for each in found[1:]:
        fault = _difference(found[0], each, problem.space, "alone", "beside another thread") if each else f"fails: {reason}"
        detail = detail or fault
    unused = "no engine calls a forward so, but do not do it yourself"
    yield Verdict(threads, "note" if detail else "passed", f"{detail}; {unused}" if detail else "")


def _serve() -> None:
    """Do what the other process does: the task comes by standard input, and outputs are left as files."""
    build, models, folder = pickle.load(sys.stdin.buffer)
    forward = build()
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(2) as threads:
        _save(folder / "alone.npz", forward(models.copy()))
        calls = [threads.submit(forward, models.copy()) for _ in range(2)]
        for name, call in zip(("first", "second"), calls, strict=True):
            _save(folder / f"{name}.npz", call.result())


def _save(file: Path, outputs: Outputs) -> None:
    np.savez(file, values=outputs[0], gradients=outputs[1])


def _load(file: Path) -> Outputs | None:
    if not file.is_file():
        return None
    with np.load(file) as saved:
        return saved["values"], saved["gradients"]


def _difference(one: Outputs, other: Outputs, space: ModelSpace, of_one: str, of_other: str, model: int = 0) -> str:
    """The first entry in which two outputs differ, with both values; nothing if they are the same to the last bit.

    `model` is the index of the first model in them.
    """
    for name, here, there in zip(OUTPUTS, one, other, strict=True):
        if np.shape(here) != np.shape(there):
            return f"{name} has shape {np.shape(here)} {of_one}, {np.shape(there)} {of_other}"
        unequal = np.argwhere(here != there)
        if len(unequal):
            at = tuple(unequal[0])
            place = _place(name, (model + at[0], *at[1:]), space)
            return f"{place} is {here[at]:.17g} {of_one}, {there[at]:.17g} {of_other}"
    return ""


def _place(name: str, at: Sequence[int], space: ModelSpace) -> str:
    """Name of an entry of an output, such as "gradient of model 0, parameter 5 (depth[1, 2])"."""
    if len(at) == 1:
        return f"{name} of model {at[0]}"
    variable = next(v for v in space.variables if at[1] < space.slices()[v.name].stop)
    index = np.unravel_index(at[1] - space.slices()[variable.name].start, variable.shape)
    shown = f"[{', '.join(map(str, index))}]" if variable.dims else ""
    return f"{name} of model {at[0]}, parameter {at[1]} ({variable.name}{shown})"
