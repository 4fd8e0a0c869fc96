"""The result of a run: labelled samples and their statistics, in physical units."""

from __future__ import annotations

from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from vip.config import DispatchSettings
from vip.errors import StoreError
from vip.methods import ChainMethod
from vip.protocols import Floats, Simulates, Variable
from vip.rng import Purpose, stream
from vip.runs.memory import Memory
from vip.runs.shown import html_table
from vip.runs.simulation import simulate
from vip.runs.store import Store

if TYPE_CHECKING:
    import xarray as xr

    from vip.runs.problem import Problem

N_PRIOR = 100
N_PREDICTED = 100
"""Numbers of models drawn from the prior, and of models whose data are predicted, in an export."""


class Result:
    """Samples of the posterior and what follows from them.

    Parameters
    ----------
    store : Store
    problem : Problem
    """

    def __init__(self, store: Store | Memory, problem: Problem) -> None:
        self.store, self.problem = store, problem

    def __repr__(self) -> str:
        return f"<vip.Result {'; '.join(f'{name}: {value}' for name, value in self.rows())}>"

    def _repr_html_(self) -> str:
        return html_table("vip.Result", self.rows())

    def rows(self) -> list[tuple[str, str]]:
        """Names and values for a person to read: status, samples, evidence and verdict."""
        checkpoint = self.store.checkpoint()
        method, done = self.problem.config.algorithm, checkpoint.iteration if checkpoint else 0
        rows = [
            ("run", str(self.path or "in memory")),
            ("status", f"{self.status}, {done:,} of {method.iterations:,} iterations of {method.name}"),
        ]
        if done and any(True for _ in self.store.samples()):
            effective = f", worth {self.effective_size:,.0f} of equal weight" if self.is_weighted else ""
            rows.append(("samples", f"{len(self.flat):,} of {self.problem.space.size:,} parameters{effective}"))
        if self.log_evidence is not None:
            rows.append(("log evidence", "{:.2f} ± {:.2f}".format(*self.log_evidence)))
        return [*rows, ("verdict", self.verdict)]

    @property
    def verdict(self) -> str:
        """Verdict of the diagnostics on the samples, from all that needs no forward."""
        # Found late: diagnostics stand above results, and ask them.
        judge = import_module("vip.diagnose.verdict")
        return str(judge.verdict(judge.without_evaluations(self)))

    @property
    def path(self) -> Path | None:
        """The run directory; None for a run in memory."""
        return self.store.path

    @property
    def status(self) -> str:
        """One of "running", "interrupted" or "finished"."""
        checkpoint = self.store.checkpoint()
        return checkpoint.status if checkpoint else "running"

    @cached_property
    def models(self) -> np.ndarray[Any, Any]:
        """Samples (chain, draw, d): a chain for each particle of sSVGD, one chain of all samples otherwise.

        Raises
        ------
        StoreError
            If there are none yet.
        """
        return self._joined([stretch.models for stretch in self.store.samples()])

    def entries(self, chosen: NDArray[np.intp]) -> np.ndarray[Any, Any]:
        """Samples (chain, draw, m) of some entries (m,) of the model: all samples of a large model may not fit into memory.

        Raises
        ------
        StoreError
            If there are none yet.
        """
        return self._joined([stretch.models[..., chosen] for stretch in self.store.samples()])

    def _joined(self, stretches: list[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
        if not stretches:
            raise StoreError(f"{self.path or 'this run'}: no samples yet; `vip status` says how far a run is")
        if not self._is_chain:
            return stretches[-1]  # a run that went on past its end has those of its first end too
        return np.concatenate(stretches).swapaxes(0, 1)

    @property
    def _is_chain(self) -> bool:
        return isinstance(self.problem.config.algorithm, ChainMethod)

    @cached_property
    def flat(self) -> np.ndarray[Any, Any]:
        """All samples (n, d); where their weights differ, see `weights` and `equal`."""
        return self.models.reshape(-1, self.models.shape[-1])

    @cached_property
    def is_weighted(self) -> bool:
        """Whether samples have weights of their own, as those of sequential Monte Carlo or importance sampling."""
        return any(stretch.log_weights.size for stretch in self.store.samples())

    @cached_property
    def weights(self) -> Floats:
        """Weights (n,) of all samples; their sum is 1."""
        if not self.is_weighted:
            return np.full(len(self.flat), 1 / len(self.flat))
        *_, last = self.store.samples()
        weights: Floats = softmax(last.log_weights.ravel())
        return weights

    @property
    def effective_size(self) -> float:
        """Number of samples of equal weight that would be worth as much (Kong 1992): ``1 / sum(weights^2)``."""
        return float(1 / np.sum(self.weights**2))

    def equal(self, n: int | None = None) -> np.ndarray[Any, Any]:
        """Samples (n, d) of equal weight: all of them, or where weights differ, a draw by weight (systematic resampling)."""
        if not self.is_weighted:
            return self.flat if n is None else self.flat[np.linspace(0, len(self.flat) - 1, min(n, len(self.flat))).astype(int)]
        n = n or len(self.flat)
        start = stream(self.problem.config.seed, 0, Purpose.RESAMPLE).random()
        chosen = np.searchsorted(np.cumsum(self.weights), (np.arange(n) + start) / n)
        return self.flat[np.minimum(chosen, len(self.flat) - 1)]

    @property
    def log_evidence(self) -> tuple[float, float] | None:
        """Natural logarithm of the evidence and its standard error, for a method that finds it; else None."""
        metrics = self.store.metrics()
        if not metrics or "log_evidence" not in metrics[-1]:
            return None
        return metrics[-1]["log_evidence"], metrics[-1].get("log_evidence_error", np.nan)

    @cached_property
    def samples(self) -> xr.Dataset:
        """Samples of every variable with dimensions (chain, draw, ...), coordinates and units."""
        return label(self.problem.space.variables, self.problem.space.unpack(self.models), ("chain", "draw"))

    @cached_property
    def mean_model(self) -> Floats:
        """Mean model (d,)."""
        if self.is_weighted:
            weighted: Floats = self.weights @ self.flat
            return weighted
        mean: Floats = self.flat.mean(axis=0, dtype=np.float64)
        return mean

    @cached_property
    def std_model(self) -> Floats:
        """Standard deviation (d,) of the model's entries."""
        if self.is_weighted:
            variance: Floats = self.weights @ (self.flat - self.mean_model) ** 2
            return np.asarray(np.sqrt(variance))
        std: Floats = self.flat.std(axis=0, dtype=np.float64)
        return std

    @cached_property
    def mean(self) -> xr.Dataset:
        """Mean of every variable."""
        return self._labelled(self.mean_model)

    @cached_property
    def std(self) -> xr.Dataset:
        """Standard deviation of every variable."""
        return self._labelled(self.std_model)

    def predicted(self, n: int = N_PREDICTED, dispatch: DispatchSettings | None = None) -> Floats:
        """Data (n, n_data) predicted from samples spread over the run, see `vip.runs.simulation.simulate`."""
        return simulate(self.problem, self.equal(n).astype(np.float64), dispatch)

    def to_datatree(self, dispatch: DispatchSettings | None = None) -> xr.DataTree:
        """Posterior, prior, observed and predicted data as a tree in ArviZ's schema; `dispatch` says who predicts them."""
        import xarray as xr  # with pandas, which comes with it, half of the time in which a command starts

        space = self.problem.space
        prior = self.problem.sample_prior(N_PRIOR, stream(self.problem.config.seed, 1, Purpose.START))
        metrics = self.store.metrics()
        groups = {
            "posterior": self.samples,
            **({"weights": xr.Dataset({"weight": (("chain", "draw"), self.weights[None])})} if self.is_weighted else {}),
            "prior": label(space.variables, space.unpack(prior[None]), ("chain", "draw")),
            "sample_stats": xr.Dataset(
                {
                    "mean_log_density": ("iteration", [m["log_density"] for m in metrics]),
                    "step": ("iteration", [m["step"] for m in metrics]),
                },
                {"iteration": [m["iteration"] for m in metrics]},
            ),
        }
        if isinstance(self.problem.forward, Simulates):
            groups["observed_data"] = xr.Dataset({"data": ("datum", self.problem.forward.observed)})
            groups["constant_data"] = xr.Dataset({"sigma": ("datum", self.problem.forward.sigma)})
            groups["posterior_predictive"] = xr.Dataset(
                {"data": (("chain", "draw", "datum"), self.predicted(dispatch=dispatch)[None])}
            )
        tree = xr.DataTree.from_dict(groups)
        tree.attrs.update(inference_library="vip", **{k: str(v) for k, v in self.store.provenance.items() if k != "inputs"})
        return tree

    def _labelled(self, vector: Floats) -> xr.Dataset:
        space = self.problem.space
        return label(space.variables, space.unpack(vector), ())


def label(variables: tuple[Variable, ...], values: dict[str, Any], leading: tuple[str, ...]) -> xr.Dataset:
    """Arrays by variable, with `leading` dimensions before the variable's own, as a labelled data set."""
    import xarray as xr

    data, coords = {}, {}
    for v in variables:
        attributes = {"units": v.units, "long_name": v.long_name or v.name}
        data[v.name] = xr.Variable((*leading, *v.dims), values[v.name], attributes)
        for dim in v.dims:
            coords[dim] = xr.Variable(dim, v.coords[dim], {"units": v.coord_units[dim]} if dim in v.coord_units else {})
    for axis, dim in enumerate(leading):
        coords[dim] = xr.Variable(dim, np.arange(next(iter(values.values())).shape[axis]))
    return xr.Dataset(data, coords)
