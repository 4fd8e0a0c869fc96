"""Random-walk Metropolis-Hastings with many chains whose proposal follows their covariance (Haario, Saksman & Tamminen 2001).

The covariance is that of all chains over recent iterations, and it adapts during burn-in only, so that what follows is a
Markov chain.
"""

from __future__ import annotations

import numpy as np

from vip.algorithms.burn_in import BurnInState, Ensemble
from vip.algorithms.chains import Chains, Proposal
from vip.protocols import LogDensity


class Metropolis(Chains):
    """Random walks, which need no gradient, for a few parameters; gradients serve the warm-up alone."""

    def _proposed(
        self, start: Ensemble, burn_in: BurnInState, size: float, log_density: LogDensity, rng: np.random.Generator
    ) -> Proposal:
        """A symmetric Gaussian step."""
        y = burn_in.metric.whiten(start.particles) + size * rng.standard_normal(start.particles.shape)
        end = self._evaluated(burn_in.metric.unwhiten(y), log_density, size)
        return Proposal(end, lambda: end.gained(start))
