"""Numbers that the figures are drawn from, each computed once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vip.config import DispatchSettings
from vip.diagnose.discretisation import N_MODELS, Discretisation, grid_error
from vip.diagnose.statistics import contraction
from vip.diagnose.verdict import Diagnosis, judge_fit, judge_spread, without_evaluations
from vip.errors import StoreError
from vip.protocols import (
    Floats,
    Gather,
    HasCoverage,
    HasDataLabel,
    HasStations,
    HasTruth,
    HasWells,
    InfersNoise,
    RecordsGathers,
    Simulates,
)
from vip.report.agreement import Agreement, agreement
from vip.report.layout import Panel
from vip.report.stein import Stein, measure
from vip.rng import Purpose, stream
from vip.runs.inversion import starting_models
from vip.runs.result import Result
from vip.runs.simulation import simulate

N_PRIOR = 100
"""Number of models drawn from the prior: with bounds and smoothness, 30 ms each for 1500 nodes."""
N_FIT = 50
"""Number of models whose data are predicted, of the prior and of the posterior each."""
MAX_PREDICTED = 20_000_000
"""Largest number of predicted data of all these models together, in single precision, so that waveforms fit into memory."""


class Fit(NamedTuple):
    """Observed data, and data (n, n_data) that some prior models and samples predict, in single precision."""

    label: str
    """Name of the data, with units."""
    observed: Floats
    sigma: Floats
    before: NDArray[np.float32]
    """Data predicted by prior models."""
    after: NDArray[np.float32]
    """Data predicted by samples of the posterior."""

    def residuals(self, predicted: NDArray[np.float32], data: Any = slice(None)) -> Floats:
        """(observed - predicted) / sigma of predicted (..., n_data), at some of the data."""
        normalised: Floats = (self.observed[data] - predicted[..., data]) / self.sigma[data]
        return normalised

    @property
    def chi2_before(self) -> float:
        """Mean chi^2 per datum of prior models."""
        return self._chi2(self.before)

    @property
    def chi2_after(self) -> float:
        """Mean chi^2 per datum of samples; 1 where model and sigma are right."""
        return self._chi2(self.after)

    def _chi2(self, predicted: NDArray[np.float32]) -> float:
        # Model by model: residuals of all of them would be copies of all data in double precision.
        return float(np.mean([np.mean(np.square(self.residuals(model))) for model in predicted]))


class Findings:
    """A result and the numbers that several figures share; one that the forward cannot give is None.

    Parameters
    ----------
    result : Result
    dispatch : DispatchSettings, optional
        Who predicts data; this process without it.
    """

    def __init__(self, result: Result, dispatch: DispatchSettings | None = None) -> None:
        self.result, self.dispatch = result, dispatch
        self.space = result.problem.space
        # Optional abilities are asked for one by one: a forward may have any of them.
        self._forward = forward = result.problem.forward
        self.stations: Floats | None = forward.stations if isinstance(forward, HasStations) else None
        self.gathers: Sequence[Gather] = forward.gathers if isinstance(forward, RecordsGathers) else ()
        self.wells: Floats | None = forward.wells if isinstance(forward, HasWells) else None
        self._agreements: dict[Panel, Agreement] = {}

    @cached_property
    def sampled(self) -> bool:
        """Whether there are samples: a run interrupted in burn-in has none."""
        try:
            return len(self.result.models) > 0
        except StoreError:
            return False

    @cached_property
    def flat(self) -> Floats:
        """All samples (n, d), of equal weight."""
        return self.result.equal()

    @property
    def mean(self) -> Floats:
        """Mean model (d,)."""
        return self.result.mean_model

    @property
    def std(self) -> Floats:
        """Standard deviation (d,)."""
        return self.result.std_model

    @cached_property
    def prior(self) -> Floats:
        """Models (n, d) drawn from the prior."""
        problem = self.result.problem
        return problem.sample_prior(N_PRIOR, stream(problem.config.seed, 0, Purpose.CHECK))

    @cached_property
    def start(self) -> Floats:
        """One of the models (d,) that the run started from."""
        problem = self.result.problem
        first: Floats = starting_models(problem, problem.build_algorithm())[0]
        return first

    @cached_property
    def fixed(self) -> NDArray[np.bool_]:
        """Entries (d,) of the model whose value is known beforehand: no statistics are made of them."""
        return ~self.result.problem.free_entries

    def free(self, panel: Panel) -> NDArray[np.bool_]:
        """Which nodes of a panel are unknown, in its shape."""
        return ~panel.of(self.fixed)

    def shown(self, panel: Panel, model: Floats) -> Any:
        """A panel of a model (..., d), with what is known beforehand masked."""
        values = panel.of(model)
        return np.ma.masked_array(values, np.broadcast_to(~self.free(panel), values.shape))

    @property
    def truth(self) -> Floats | None:
        """The model (d,) that synthetic data were made with."""
        return self._forward.true_model if isinstance(self._forward, HasTruth) else None

    @cached_property
    def coverage(self) -> Floats | None:
        """Ray length (km) in the mean model near each entry of the first variable, as one vector."""
        return self._forward.coverage(self.mean).ravel() if isinstance(self._forward, HasCoverage) else None

    @cached_property
    def fit(self) -> Fit | None:
        """Data predicted before and after the inversion, once for all figures."""
        forward = self._forward
        if not isinstance(forward, Simulates):
            return None
        n = int(np.clip(MAX_PREDICTED // len(forward.observed), 1, N_FIT))

        def predicted(models: Floats) -> NDArray[np.float32]:
            chosen = models[np.linspace(0, len(models) - 1, min(n, len(models))).astype(int)]
            data: Floats = simulate(self.result.problem, chosen.astype(np.float64), self.dispatch)
            return data.astype(np.float32)

        label = forward.data_label if isinstance(forward, HasDataLabel) else ""
        return Fit(label, forward.observed, forward.sigma, predicted(self.prior), predicted(self.flat))

    @cached_property
    def grid(self) -> Discretisation | None:
        """Error of the forward's grid for some samples, if it can be refined."""
        return grid_error(self._forward, self.flat[:: max(1, len(self.flat) // N_MODELS)][:N_MODELS].astype(np.float64))

    @cached_property
    def stein(self) -> Stein | None:
        """Statistics from the gradients at some samples, if these can be evaluated."""
        return measure(self.result)

    @cached_property
    def diagnoses(self) -> list[Diagnosis]:
        """All diagnoses of whether these are samples of the posterior, in order of weight."""
        found = without_evaluations(self.result)
        if not self.sampled:
            return found
        spread = judge_spread(self.stein.spread, self.stein.n, self.result) if self.stein else None
        found += [spread] if spread else []
        unknown = isinstance(self._forward, InfersNoise) and self._forward.unknown_noise  # then sigma is not what is expected
        if self.fit is not None and not unknown:
            found.append(judge_fit(self.fit.chi2_after, len(self.fit.observed)))
        return found

    @cached_property
    def below_truth(self) -> Floats | None:
        """Share (d,) of the samples below the truth, where that is known."""
        return None if self.truth is None else np.mean(self.flat < self.truth, axis=0)

    def agreement(self, panel: Panel) -> Agreement | None:
        """Agreement of a map with the truth, where that is known."""
        if self.truth is None:
            return None
        if panel not in self._agreements:
            truth, mean, start, samples = (panel.of(models) for models in (self.truth, self.mean, self.start, self.flat))
            self._agreements[panel] = agreement(truth, mean, start, samples, self.free(panel))
        return self._agreements[panel]

    def contraction(self, panel: Panel) -> Any:
        """Contraction of the prior by the data in a panel, with nodes that are known beforehand masked."""
        values = np.zeros(panel.shape)
        free = self.free(panel)
        values[free] = contraction(panel.of(self.prior)[:, free], panel.of(self.flat)[:, free])
        return np.ma.masked_array(values, ~free)

    def prior_range(self, panel: Panel) -> tuple[Floats, Floats, str]:
        """Bounds of the prior in the panel's shape, or where it has none its 5-95 % range; and which of the two."""
        prior = self.result.problem.prior
        lower, upper = panel.of(prior.lower), panel.of(prior.upper)
        if np.isfinite(lower).all() and np.isfinite(upper).all():
            return lower, upper, "prior bounds"
        lower, upper = np.quantile(panel.of(self.prior), [0.05, 0.95], axis=0)
        return lower, upper, "prior 5–95 %"
