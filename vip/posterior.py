"""Prior, transform and forward put together: the log-density that algorithms see."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vip.errors import ForwardError
from vip.protocols import Dispatcher, Floats, Prior
from vip.transforms import Transform


class Posterior:
    """Log-posterior in unconstrained space, eq. 7 of Zhang & Curtis (2024).

    Parameters
    ----------
    prior : Prior
        Of models in physical units.
    transform : Transform
        Between models and theta.
    dispatcher : Dispatcher
        Evaluates log-likelihoods.
    includes_prior : bool
        Whether the forward already returns the log-posterior of the model.
    hold : bool
        Whether a particle whose forward fails goes on with a gradient of zero, moved by the others only; else it is an error.
    blocks : sequence of int, optional
        Data blocks to estimate the likelihood from; all without it.

    Attributes
    ----------
    log_likelihood : float
        Mean over the particles that were evaluated last.
    failures : dict of int to str
        Particles that were held then, and why.
    """

    def __init__(
        self,
        prior: Prior,
        transform: Transform,
        dispatcher: Dispatcher,
        includes_prior: bool = False,
        hold: bool = False,
        blocks: Sequence[int] | None = None,
    ) -> None:
        self.prior, self.transform, self.dispatcher = prior, transform, dispatcher
        self.includes_prior, self.hold, self.blocks = includes_prior, hold, blocks
        self.log_likelihood = np.nan
        self.failures: dict[int, str] = {}

    def on(self, blocks: Sequence[int]) -> Posterior:
        """The same log-posterior, estimated from these data blocks."""
        return Posterior(self.prior, self.transform, self.dispatcher, self.includes_prior, self.hold, blocks)

    def __call__(self, theta: Floats) -> tuple[Floats, Floats]:
        """Values (n,) and gradients (n, d) at theta (n, d).

        Raises
        ------
        ForwardError
            If the forward fails for a particle or returns what is not finite, and particles are not to be held; or for all.
        """
        models = self.transform.to_model(theta)
        evaluation = self.dispatcher.evaluate(models, self.blocks)
        value, gradient = evaluation.log_likelihood, evaluation.gradient
        failures = _not_finite(value, gradient) | evaluation.failures
        if failures and (not self.hold or len(failures) == len(models)):
            raise ForwardError(failures)
        self.failures, held = failures, list(failures)
        self.log_likelihood = float(np.delete(value, held).mean())
        if not self.includes_prior:
            prior_value, prior_gradient = self.prior.log_density(models)
            value, gradient = value + prior_value, gradient + prior_gradient
        jacobian_value, jacobian_gradient = self.transform.log_jacobian(theta)
        value, gradient = value + jacobian_value, gradient * self.transform.slope(theta) + jacobian_gradient
        if held:
            value[held], gradient[held] = np.delete(value, held).mean(), 0.0
        return value, gradient


def _not_finite(log_likelihood: Floats, gradient: Floats) -> dict[int, str]:
    bad = ~(np.isfinite(log_likelihood) & np.isfinite(gradient).all(axis=1))
    return {int(i): f"log-likelihood {log_likelihood[i]} or its gradient is not finite" for i in np.flatnonzero(bad)}
