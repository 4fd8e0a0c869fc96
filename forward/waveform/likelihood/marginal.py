"""Gaussian errors with the moment tensor integrated out.

Data are d = A m + e: white errors e, predictions A of b parts, factors m with a prior N(0, 1). Then (Bishop 2006, eq. 3.86)

    log p(d) = -[d.d - h.K^-1 h]/2 - log|K|/2 + constant,  K = A'A + 1,  h = A'd,

and given the data, m is N(K^-1 h, K^-1). With the residual r = d - A K^-1 h, its derivative by A is r (K^-1 h)' - A K^-1.
"""

from __future__ import annotations

import numpy as np

from vip.forward.waveform.elementary import Traces
from vip.forward.waveform.likelihood.contract import NONE, Value, totals
from vip.forward.waveform.likelihood.gaussian import Gaussian
from vip.protocols import Floats


class Marginal(Gaussian):
    """Gaussian errors, independent between channels, and linear factors whose prior is the standard normal."""

    def __call__(self, traces: Traces, log_noise: Floats, slopes: bool = True) -> Value:
        """Log-likelihoods of the parts (n, channels, b, samples) of predictions, and derivatives."""
        samples = traces.shape[3]
        shrink = np.exp(-log_noise).astype(traces.dtype)[:, :, None]
        data, white = self.white * shrink, self.whitener(traces) * shrink[..., None]
        mean, inverse, log_det = self._normal(data, white)
        residual = data - _weighted(mean, white)
        # Least at the mean, so that rounding of the mean does not matter: the same as r.d in exact arithmetic.
        misfit = totals(residual**2).sum(axis=1) + (mean**2).sum(axis=1)
        value = self.constant - 0.5 * (misfit + log_det) - samples * log_noise.sum(axis=1)
        if not slopes:
            return Value(value, NONE, NONE)
        by_white = mean.astype(traces.dtype)[:, None, :, None] * residual[:, :, None]
        by_white -= inverse.astype(traces.dtype)[:, None] @ white
        by_log_noise = totals(residual * data) - totals((by_white * white).sum(axis=2)) - samples
        return Value(value, self.whitener.transpose(by_white * shrink[..., None]), by_log_noise)

    def factors(self, traces: Traces, log_noise: Floats) -> tuple[Floats, Floats]:
        """Means (n, b) and covariances (n, b, b) of the factors, given the data and the parts of predictions."""
        shrink = np.exp(-log_noise).astype(traces.dtype)[:, :, None]
        mean, inverse, _ = self._normal(self.white * shrink, self.whitener(traces) * shrink[..., None])
        return mean, inverse

    def _normal(self, data: Traces, white: Traces) -> tuple[Floats, Floats, Floats]:
        """Means (n, b), inverses (n, b, b) of K, and their log-determinants (n,)."""
        # Sums over samples channel by channel, and then over channels in double precision.
        product = (white @ np.swapaxes(white, 2, 3)).astype(float).sum(axis=1)
        h = (white @ data[..., None])[..., 0].astype(float).sum(axis=1)
        k = product + np.eye(product.shape[1])
        inverse = np.linalg.inv(k)
        return (inverse @ h[..., None])[..., 0], inverse, np.linalg.slogdet(k)[1]


def _weighted(mean: Floats, white: Traces) -> Traces:
    """Predictions (n, channels, samples) of parts (n, channels, b, samples) with factors (n, b)."""
    made: Traces = (mean.astype(white.dtype)[:, None, None] @ white)[:, :, 0]
    return made
