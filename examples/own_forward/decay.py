"""A forward code of one's own in one file: the amplitude and decay time of a signal, from noisy samples of it."""

import copy

import numpy as np

from vip.protocols import ModelSpace, Variable

TRUE_AMPLITUDE, TRUE_DECAY_TIME = 2.0, 1.5


class Decay:
    """Signal ``a exp(-t / tau)``; the model is (a, tau)."""

    data_label = "ground velocity (m/s)"

    def __init__(self, sigma: float, n: int) -> None:
        self.space = ModelSpace(
            (
                Variable("amplitude", "m/s", long_name="amplitude"),
                Variable("decay_time", "s", long_name="decay time"),
            )
        )
        self.ndim = self.space.size
        self.time = np.linspace(0, 5, n)
        self.sigma = np.full(n, sigma)
        noise = sigma * np.random.default_rng(0).standard_normal(n)
        self.observed = self.simulate(np.array([[TRUE_AMPLITUDE, TRUE_DECAY_TIME]]))[0] + noise

    @classmethod
    def from_settings(cls, settings, base_dir):
        """Build from the other keys of [forward]."""
        return cls(**settings)

    def simulate(self, models):
        """Predicted data (n, n_data)."""
        return models[:, :1] * np.exp(-self.time / models[:, 1:])

    def with_observed(self, data):
        """The same with other data (n_data,), for `vip calibrate`."""
        other = copy.copy(self)
        other.observed = data
        return other

    def __call__(self, models):
        """Log-likelihood (n,) and gradient (n, 2)."""
        predicted = self.simulate(models)
        residual = (self.observed - predicted) / self.sigma**2
        by_amplitude = (residual * predicted / models[:, :1]).sum(axis=1)
        by_decay_time = (residual * predicted * self.time / models[:, 1:] ** 2).sum(axis=1)
        misfit = (residual**2 * self.sigma**2).sum(axis=1) / 2
        return -misfit, np.stack([by_amplitude, by_decay_time], axis=1)
