"""What the figures are drawn from, computed once."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from vip.errors import StoreError
from vip.protocols import Floats
from vip.report.layout import Panel
from vip.result import Result
from vip.rng import Purpose, stream

N_PRIOR = 100
"""Models drawn from the prior: with bounds and smoothness, 30 ms each for 1500 nodes."""
N_FIT = 50
"""Models whose data are predicted, before and after."""
MAX_PREDICTED = 10_000_000
"""Predicted data of all these models together: waveforms are many, and memory is not."""


class Fit(NamedTuple):
    """Residuals (observed - predicted) / sigma of prior models and of samples, (n, n_data) each."""

    label: str
    """What the data are, with units."""
    observed: Floats
    before: Floats
    after: Floats

    @property
    def chi2_before(self) -> float:
        """Mean chi^2 per datum of prior models."""
        return float(np.mean(self.before**2))

    @property
    def chi2_after(self) -> float:
        """Mean chi^2 per datum of samples; 1 where model and sigma are right."""
        return float(np.mean(self.after**2))


class Findings:
    """A result and what several figures share. What the forward cannot tell is None.

    Parameters
    ----------
    result : Result
    """

    def __init__(self, result: Result) -> None:
        self.result = result
        self.space = result.problem.space
        # Optional abilities are asked for one by one: a forward may have any of them.
        self._forward: Any = result.problem.forward
        self.stations: Floats | None = getattr(self._forward, "stations", None)

    @cached_property
    def sampled(self) -> bool:
        """Whether there are samples: a run interrupted in burn-in has none."""
        try:
            return len(self.result.models) > 0
        except StoreError:
            return False

    @cached_property
    def flat(self) -> Floats:
        """All samples (n, d)."""
        return self.result.flat

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

    @property
    def truth(self) -> Floats | None:
        """The model (d,) that synthetic data were made with."""
        truth: Floats | None = getattr(self._forward, "true_model", None)
        return truth

    @cached_property
    def coverage(self) -> Floats | None:
        """Ray length (km) in the mean model near each entry of the first variable, as one vector."""
        if not hasattr(self._forward, "coverage"):
            return None
        coverage: Floats = self._forward.coverage(self.mean)
        return coverage.ravel()

    @cached_property
    def fit(self) -> Fit | None:
        """Residuals before and after the inversion."""
        forward = self._forward
        if not all(hasattr(forward, ability) for ability in ("simulate", "observed", "sigma")):
            return None
        n = int(np.clip(MAX_PREDICTED // len(forward.observed), 1, N_FIT))

        def residuals(models: Floats) -> Floats:
            chosen = models[np.linspace(0, len(models) - 1, min(n, len(models))).astype(int)]
            predicted: Floats = forward.simulate(chosen.astype(np.float64))
            normalised: Floats = (forward.observed - predicted) / forward.sigma
            return normalised

        return Fit(getattr(forward, "data_label", ""), forward.observed, residuals(self.prior), residuals(self.flat))

    def prior_range(self, panel: Panel) -> tuple[Floats, Floats, str]:
        """Bounds of the prior in the panel's shape, or where it has none its 5-95 % range; and which of the two."""
        prior = self.result.problem.prior
        lower, upper = panel.of(prior.lower), panel.of(prior.upper)
        if np.isfinite(lower).all() and np.isfinite(upper).all():
            return lower, upper, "prior bounds"
        lower, upper = np.quantile(panel.of(self.prior), [0.05, 0.95], axis=0)
        return lower, upper, "prior 5–95 %"
