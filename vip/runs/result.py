"""What a run found: labelled samples and their statistics, in physical units."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from vip.errors import StoreError
from vip.methods import ChainMethod
from vip.protocols import Floats, Simulates, Variable
from vip.rng import Purpose, stream
from vip.runs.store import Store

if TYPE_CHECKING:
    from vip.runs.problem import Problem

N_PRIOR = 100
N_PREDICTED = 100
"""Models drawn from the prior, and models whose data are predicted, in an export."""


class Result:
    """Samples of the posterior and what follows from them.

    Parameters
    ----------
    store : Store
    problem : Problem
    """

    def __init__(self, store: Store, problem: Problem) -> None:
        self.store, self.problem = store, problem

    def __repr__(self) -> str:
        return f"<vip.Result {self.path}: {self.status}>"

    @property
    def path(self) -> Path:
        """The run directory."""
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
        return self._joined([models for _, models in self.store.samples()])

    def entries(self, chosen: NDArray[np.intp]) -> np.ndarray[Any, Any]:
        """Samples (chain, draw, m) of some entries of the model (m,): all samples of a large one may not fit into memory.

        Raises
        ------
        StoreError
            If there are none yet.
        """
        return self._joined([models[..., chosen] for _, models in self.store.samples()])

    def _joined(self, stretches: list[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
        if not stretches:
            raise StoreError(f"{self.path}: no samples yet; `vip status` says how far it is")
        if not self._is_chain:
            return stretches[-1]  # a run that went on past its end has those of its first end too
        return np.concatenate(stretches).swapaxes(0, 1)

    @property
    def _is_chain(self) -> bool:
        return isinstance(self.problem.config.algorithm, ChainMethod)

    @cached_property
    def flat(self) -> np.ndarray[Any, Any]:
        """All samples (n, d)."""
        return self.models.reshape(-1, self.models.shape[-1])

    @cached_property
    def samples(self) -> xr.Dataset:
        """Samples of every variable with dimensions (chain, draw, ...), coordinates and units."""
        return label(self.problem.space.variables, self.problem.space.unpack(self.models), ("chain", "draw"))

    @cached_property
    def mean_model(self) -> Floats:
        """Mean model (d,)."""
        mean: Floats = self.flat.mean(axis=0, dtype=np.float64)
        return mean

    @cached_property
    def std_model(self) -> Floats:
        """Standard deviation (d,) of the model's entries."""
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

    def predicted(self, n: int = N_PREDICTED) -> Floats:
        """Data (n, n_data) predicted from samples spread over the run."""
        forward = self.problem.forward
        if not isinstance(forward, Simulates):
            raise StoreError(f"{self.path}: its forward does not predict data: it has no simulate")
        chosen = np.linspace(0, len(self.flat) - 1, min(n, len(self.flat))).astype(int)
        return forward.simulate(self.flat[chosen].astype(np.float64))

    def to_datatree(self) -> xr.DataTree:
        """Posterior, prior, observed and predicted data as a tree in ArviZ's schema."""
        space = self.problem.space
        prior = self.problem.sample_prior(N_PRIOR, stream(self.problem.config.seed, 1, Purpose.START))
        metrics = self.store.metrics()
        groups = {
            "posterior": self.samples,
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
            groups["posterior_predictive"] = xr.Dataset({"data": (("chain", "draw", "datum"), self.predicted()[None])})
        tree = xr.DataTree.from_dict(groups)
        tree.attrs.update(inference_library="vip", **{k: str(v) for k, v in self.store.provenance.items() if k != "inputs"})
        return tree

    def _labelled(self, vector: Floats) -> xr.Dataset:
        space = self.problem.space
        return label(space.variables, space.unpack(vector), ())


def label(variables: tuple[Variable, ...], values: dict[str, Any], leading: tuple[str, ...]) -> xr.Dataset:
    """Arrays by variable, with `leading` dimensions before the variable's own, as a labelled data set."""
    data, coords = {}, {}
    for v in variables:
        attributes = {"units": v.units, "long_name": v.long_name or v.name}
        data[v.name] = xr.Variable((*leading, *v.dims), values[v.name], attributes)
        for dim in v.dims:
            coords[dim] = xr.Variable(dim, v.coords[dim], {"units": v.coord_units[dim]} if dim in v.coord_units else {})
    for axis, dim in enumerate(leading):
        coords[dim] = xr.Variable(dim, np.arange(next(iter(values.values())).shape[axis]))
    return xr.Dataset(data, coords)
