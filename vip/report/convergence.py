"""Whether the chains agree: rank-normalised split R-hat and bulk ESS (Vehtari et al. 2021).

Both suppose independent chains, and the particles of sSVGD interact: a large R-hat is a warning, a small one no proof.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vip.protocols import Floats

N_CHECKED = 200
"""Entries of the model that are checked; 20 ms each for 20 chains of 1500."""
MIN_DRAWS = 4


class Convergence(NamedTuple):
    """R-hat and effective sample size of some entries of the model vector."""

    r_hat: Floats
    ess: Floats

    def __str__(self) -> str:
        share = float(np.mean(self.r_hat > 1.1))
        if self.r_hat.max() < 1.01:
            verdict = "The chains agree"
        elif share < 0.05:
            verdict = "The chains agree almost everywhere"
        else:
            verdict = f"The chains disagree (R-hat > 1.1) on {share:.0%} of the entries: run longer"
        return (
            f"{verdict}. R-hat {np.median(self.r_hat):.3f} median, {self.r_hat.max():.2f} worst; "
            f"bulk ESS {np.median(self.ess):.0f} median, {self.ess.min():.0f} smallest; {len(self.ess)} entries checked"
        )


def convergence(models: Floats, fixed: NDArray[np.bool_] | None = None) -> Convergence | None:
    """Of chains (chain, draw, d), but for fixed entries (d,); None if they are too few or too short to tell."""
    from arviz_stats.base import array_stats

    n_chains, n_draws, d = models.shape
    free = np.arange(d) if fixed is None else np.flatnonzero(~fixed)
    if n_chains < 2 or n_draws < MIN_DRAWS or not len(free):
        return None
    entries = free[np.linspace(0, len(free) - 1, min(len(free), N_CHECKED)).astype(int)]
    chosen = models[..., entries].astype(np.float64)
    r_hat, ess = (f(chosen, chain_axis=0, draw_axis=1) for f in (array_stats.rhat, array_stats.ess))
    known = np.isfinite(r_hat) & np.isfinite(ess)
    return Convergence(r_hat[known], ess[known]) if known.any() else None
