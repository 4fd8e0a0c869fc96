"""Prior, transform and forward put together: the log-density that algorithms see."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from vip.errors import ForwardError
from vip.inference.transforms import Transform
from vip.protocols import Dispatcher, Floats, Prior

OnFailure = Literal["raise", "hold", "reject"]


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
    on_failure : str
        What becomes of a particle whose forward fails: "raise" an error, "hold" it with a gradient of zero, so that only the
        others move it, or "reject" it by a log-density of -inf.

    Attributes
    ----------
    log_likelihood : float
        Mean over the particles that were evaluated last.
    failures : dict of int to str
        Particles that failed then, and why.
    """

    def __init__(
        self,
        prior: Prior,
        transform: Transform,
        dispatcher: Dispatcher,
        includes_prior: bool = False,
        on_failure: OnFailure = "raise",
    ) -> None:
        self.prior, self.transform, self.dispatcher = prior, transform, dispatcher
        self.includes_prior, self.on_failure = includes_prior, on_failure
        self.log_likelihood = np.nan
        self.failures: dict[int, str] = {}

    def __call__(self, theta: Floats) -> tuple[Floats, Floats]:
        """Values (n,) and gradients (n, d) at theta (n, d).

        Raises
        ------
        ForwardError
            If the forward fails for a particle or returns what is not finite, and that is an error; or for all.
        """
        models = self.transform.to_model(theta)
        value, gradient = self._likelihood(models)
        prior_value, prior_gradient = self.log_prior(theta)
        value, gradient = value + prior_value, self.transform.pull(theta, gradient) + prior_gradient
        failed = list(self.failures)
        if failed:
            value[failed] = -np.inf if self.on_failure == "reject" else np.delete(value, failed).mean()
            gradient[failed] = 0.0
        return value, gradient

    def log_prior(self, theta: Floats) -> tuple[Floats, Floats]:
        """What is not of the forward: log-density (n,) and gradient (n, d) of the prior, in unconstrained space."""
        value, gradient = self.transform.log_jacobian(theta)
        if self.includes_prior:
            return value, gradient
        of_models, by_models = self.prior.log_density(self.transform.to_model(theta))
        return value + of_models, gradient + self.transform.pull(theta, by_models)

    def _likelihood(self, models: Floats, blocks: Sequence[int] | None = None) -> tuple[Floats, Floats]:
        """Of models (n, d), with rows of zero where it failed; notes the failures and the mean of the rest."""
        evaluation = self.dispatcher.evaluate(models, blocks)
        value, gradient = evaluation.log_likelihood, evaluation.gradient
        self.failures = _not_finite(value, gradient) | evaluation.failures
        fatal = self.on_failure == "raise" or (self.on_failure == "hold" and len(self.failures) == len(models))
        if self.failures and fatal:
            raise ForwardError(self.failures)
        failed = list(self.failures)
        if failed:
            value, gradient = value.copy(), gradient.copy()
            value[failed], gradient[failed] = 0.0, 0.0
        kept = np.delete(value, failed)
        self.log_likelihood = float(kept.mean()) if len(kept) else np.nan
        return value, gradient


class Estimated(Posterior):
    """A log-posterior estimated from some of the forward's data blocks.

    Parameters
    ----------
    whole : Posterior
    blocks : sequence of int
        In random order.
    n_blocks : int
        Of the forward.

    Attributes
    ----------
    gradient_noise : (n, d) float, or empty
        Half the difference between the estimates from either half of the blocks, as of a mean over blocks drawn without
        replacement: on average its square is the variance of their mean. Empty for an odd number of blocks.
    """

    def __init__(self, whole: Posterior, blocks: Sequence[int], n_blocks: int) -> None:
        super().__init__(whole.prior, whole.transform, whole.dispatcher, whole.includes_prior, whole.on_failure)
        self.blocks, self.n_blocks = blocks, n_blocks
        self.gradient_noise = self._half_difference = np.zeros((0, 0))

    def __call__(self, theta: Floats) -> tuple[Floats, Floats]:
        """Values (n,) and gradients (n, d) at theta (n, d), as `Posterior`."""
        estimate = super().__call__(theta)
        if self._half_difference.size:
            self.gradient_noise = self.transform.pull(theta, self._half_difference)
        return estimate

    def _likelihood(self, models: Floats, blocks: Sequence[int] | None = None) -> tuple[Floats, Floats]:
        if len(self.blocks) % 2:
            return super()._likelihood(models, self.blocks)
        half = len(self.blocks) // 2
        (value, gradient), failures, mean = super()._likelihood(models, self.blocks[:half]), self.failures, self.log_likelihood
        other_value, other_gradient = super()._likelihood(models, self.blocks[half:])
        self.failures = failures | self.failures
        self.log_likelihood = (mean + self.log_likelihood) / 2
        left = 1 - len(self.blocks) / self.n_blocks  # nothing is uncertain when all blocks are used
        self._half_difference = math.sqrt(left) * (gradient - other_gradient) / 2
        return (value + other_value) / 2, (gradient + other_gradient) / 2


def _not_finite(log_likelihood: Floats, gradient: Floats) -> dict[int, str]:
    bad = ~(np.isfinite(log_likelihood) & np.isfinite(gradient).all(axis=1))
    return {int(i): f"log-likelihood {log_likelihood[i]} or its gradient is not finite" for i in np.flatnonzero(bad)}
