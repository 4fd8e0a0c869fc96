"""Prior, transform and forward put together: the log-density that algorithms see."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from vip.errors import ForwardError
from vip.inference.transforms import Transform
from vip.protocols import Dispatcher, Evaluated, Floats, Prior

OnFailure = Literal["raise", "hold", "reject"]


class Posterior:
    """Log-posterior in unconstrained space, eq. 7 of Zhang & Curtis (2024).

    Parameters
    ----------
    prior : Prior
        Prior of models in physical units.
    transform : Transform
        Map between models and theta.
    dispatcher : Dispatcher
        Evaluates log-likelihoods.
    includes_prior : bool
        Whether the forward already returns the log-posterior of the model.
    on_failure : str
        What becomes of a particle whose forward fails: "raise" an error, "hold" it with a gradient of zero, so that only the
        others move it, or "reject" it by a log-density of -inf.
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

    def __call__(self, theta: Floats) -> Evaluated:
        """Log-density (n,) and gradients (n, d) at theta (n, d), with the failures.

        Raises
        ------
        ForwardError
            If the forward fails or returns what is not finite: for any particle where `on_failure` is "raise", for all of them
            where it is "hold".
        """
        found = self._likelihood(self.transform.to_model(theta))
        prior_value, prior_gradient = self.log_prior(theta)
        value, gradient = found.value + prior_value, self.transform.pull(theta, found.gradient) + prior_gradient
        noise = self.transform.pull(theta, found.noise) if found.noise.size else found.noise
        failed = list(found.failures)
        if failed:
            value[failed] = -np.inf if self.on_failure == "reject" else np.delete(value, failed).mean()
            gradient[failed] = 0.0
            found.log_likelihood[failed] = np.nan
        return Evaluated(value, gradient, noise, found.failures, found.log_likelihood)

    def log_prior(self, theta: Floats) -> tuple[Floats, Floats]:
        """Log-density (n,) and gradient (n, d) of the prior, in unconstrained space: all but the log-likelihood."""
        value, gradient = self.transform.log_jacobian(theta)
        if self.includes_prior:
            return value, gradient
        of_models, by_models = self.prior.log_density(self.transform.to_model(theta))
        return value + of_models, gradient + self.transform.pull(theta, by_models)

    def _likelihood(self, models: Floats, blocks: Sequence[int] | None = None) -> Evaluated:
        """The log-likelihood of models (n, d), with rows of zero where it failed."""
        evaluation = self.dispatcher.evaluate(models, blocks)
        value, gradient = evaluation.log_likelihood, evaluation.gradient
        failures = _not_finite(value, gradient) | evaluation.failures
        fatal = self.on_failure == "raise" or (self.on_failure == "hold" and len(failures) == len(models))
        if failures and fatal:
            raise ForwardError(failures)
        value = value.copy()
        if failures:
            failed, gradient = list(failures), gradient.copy()
            value[failed], gradient[failed] = 0.0, 0.0
        return Evaluated(value, gradient, failures=failures, log_likelihood=value)


class Estimated(Posterior):
    """A log-posterior estimated from some of the forward's data blocks.

    Parameters
    ----------
    whole : Posterior
    blocks : sequence of int
        Data blocks to use, in random order.
    n_blocks : int
        Number of data blocks that the forward has.

    Its `noise` is half the difference between the estimates from either half of the blocks, scaled for blocks that are drawn
    without replacement: on average its square is the variance of the mean of both. It is empty for an odd number of blocks.
    """

    def __init__(self, whole: Posterior, blocks: Sequence[int], n_blocks: int) -> None:
        super().__init__(whole.prior, whole.transform, whole.dispatcher, whole.includes_prior, whole.on_failure)
        self.blocks, self.n_blocks = blocks, n_blocks

    def _likelihood(self, models: Floats, blocks: Sequence[int] | None = None) -> Evaluated:
        if len(self.blocks) % 2:
            return super()._likelihood(models, self.blocks)
        half = len(self.blocks) // 2
        one, other = (super(Estimated, self)._likelihood(models, part) for part in (self.blocks[:half], self.blocks[half:]))
        left = 1 - len(self.blocks) / self.n_blocks  # nothing is uncertain when all blocks are used
        noise = math.sqrt(left) * (one.gradient - other.gradient) / 2
        value, gradient = (one.value + other.value) / 2, (one.gradient + other.gradient) / 2
        return Evaluated(value, gradient, noise, {**one.failures, **other.failures}, value)


def _not_finite(log_likelihood: Floats, gradient: Floats) -> dict[int, str]:
    bad = ~(np.isfinite(log_likelihood) & np.isfinite(gradient).all(axis=1))
    return {int(i): f"log-likelihood {log_likelihood[i]} or its gradient is not finite" for i in np.flatnonzero(bad)}
