"""Depth of a sedimentary basin from gravity, in JAX: to copy for jit, vmap and value_and_grad."""

import os

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # several processes may share a GPU
import jax
import jax.numpy as jnp
import numpy as np

from vip.protocols import ModelSpace, Variable

jax.config.update("jax_enable_x64", True)

TWO_G = 2 * 6.674e-11 * 1e8
"""Twice the constant of gravitation, mGal per km and kg/m3."""


class Basin:
    """Gravity of columns of sediment, as in basin_numpy.py; the model is their depth."""

    data_label = "gravity (mGal)"
    batch = 16  # models that are evaluated together; vip cuts its groups to fit

    def __init__(self, file, density, columns, extent):
        self.inputs = [file]  # a run is not resumed once they have changed
        position, self.observed, self.sigma = np.loadtxt(file, delimiter=",", unpack=True)
        edges = np.linspace(0, extent, columns + 1)
        x = edges - position[:, None]
        self.x = np.where(x == 0, 1e-9, x)  # (stations, columns + 1), km; above an edge, the limit
        self.scale = TWO_G * density
        coords = {"position": (edges[1:] + edges[:-1]) / 2}
        depth = Variable("depth", "km", ("position",), coords, "depth of the basement", {"position": "km"})
        self.space = ModelSpace((depth,))
        self.ndim = self.space.size
        self._predict = jax.jit(jax.vmap(self._gravity))
        self._evaluate = jax.jit(jax.vmap(jax.value_and_grad(self._log_likelihood)))

    @classmethod
    def from_settings(cls, settings, base_dir):
        """Build from the other keys of [forward]; files are beside the configuration."""
        return cls(**{**settings, "file": base_dir / settings["file"]})

    def simulate(self, models):
        """Gravity (n, stations), mGal, of depths (n, columns), km."""
        return np.concatenate([self._predict(part) for part in self._parts(models)])[: len(models)]

    def __call__(self, models):
        """Log-likelihood (n,) and gradient (n, columns)."""
        values, gradients = zip(*(self._evaluate(part) for part in self._parts(models)), strict=True)
        return np.concatenate(values)[: len(models)], np.concatenate(gradients)[: len(models)]

    def _gravity(self, h):
        """Gravity of one model."""
        right, left = (x / 2 * jnp.log1p((h / x) ** 2) + h * jnp.arctan2(x, h) for x in (self.x[:, 1:], self.x[:, :-1]))
        return self.scale * (right - left).sum(axis=1)

    def _log_likelihood(self, h):
        return -0.5 * (((self.observed - self._gravity(h)) / self.sigma) ** 2).sum()

    def _parts(self, models):
        """Models in parts of `batch`: for each other shape JAX would compile again, and round in another way."""
        n = -(-len(models) // self.batch)
        return np.resize(models, (n, self.batch, self.ndim))  # the last is filled with models again
