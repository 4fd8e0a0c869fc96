"""Langevin chains without and with rejection: SGLD (Welling & Teh 2011) and MALA (Roberts & Tweedie 1996)."""

from __future__ import annotations

import numpy as np

from vip.algorithms.burn_in import BurnInState, Ensemble
from vip.algorithms.chains import Chains, Proposal
from vip.protocols import Floats, LogDensity


class SGLD(Chains):
    """SGLD: ``y' = y + e grad log p + sqrt(2 e) noise``, in the coordinates y of a metric.

    A gradient that is estimated from a few data blocks brings noise of its own, of variance ``e^2 v``; that much less is added
    (Ahn, Korattikara & Welling 2012), so that both together have variance 2 e.
    """

    rejects = False

    def _proposed(
        self, start: Ensemble, burn_in: BurnInState, size: float, log_density: LogDensity, rng: np.random.Generator
    ) -> Proposal:
        metric = burn_in.metric
        y, gradient = metric.whiten(start.particles), metric.pull(start.gradient)
        missing = 2 * size - size**2 * burn_in.variance
        new = y + size * gradient + np.sqrt(np.maximum(missing, 0)) * rng.standard_normal(y.shape)
        end = self._evaluated(metric.unwhiten(new), log_density, size)

        def log_ratios() -> Floats:
            back = y - new - size * metric.pull(end.gradient)
            forth = new - y - size * gradient
            ratio: Floats = end.gained(start) + ((forth**2).sum(axis=1) - (back**2).sum(axis=1)) / (4 * size)
            return ratio

        return Proposal(end, log_ratios)


class MALA(SGLD):
    """MALA: the step of SGLD, accepted or rejected, so that its length leaves no error."""

    rejects = True
