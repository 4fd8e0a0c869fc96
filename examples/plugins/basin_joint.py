"""Depth of a sedimentary basin from gravity and from periods of resonance: to copy for several data sets of one model."""

import numpy as np

from vip.forward.combine import Joint
from vip.plugins import find
from vip.protocols import ModelSpace, Variable


class Resonance:
    """Period ``4 depth / velocity`` at which sediment resonates; the model is depth, and the S velocity of all columns."""

    data_label = "period of resonance (s)"

    def __init__(self, file, depth):
        self.inputs = [file]  # a run is not resumed once they have changed
        position, self.observed, self.sigma = np.loadtxt(file, delimiter=",", unpack=True)
        distance = np.abs(position[:, None] - depth.coords["position"])
        self.column = distance.argmin(axis=1)  # of each measurement
        self.space = ModelSpace((depth, Variable("velocity", "km/s", long_name="S velocity of the sediment")))
        self.ndim = self.space.size

    def simulate(self, models):
        """Periods (n, measurements), s, of depths in km and velocity in km/s (n, columns + 1)."""
        return 4 * models[:, self.column] / models[:, -1:]

    def __call__(self, models):
        """Log-likelihood (n,) and gradient (n, columns + 1)."""
        period = self.simulate(models)
        residual = (self.observed - period) / self.sigma
        by_period, gradient = residual / self.sigma, np.zeros(models.shape)
        for k, j in enumerate(self.column):
            gradient[:, j] += by_period[:, k] * 4 / models[:, -1]
            gradient[:, -1] -= by_period[:, k] * period[:, k] / models[:, -1]
        return -0.5 * (residual**2).sum(axis=1), gradient


class Basin(Joint):
    """Both data sets. They share the variable `depth`; `velocity` is the second's alone."""

    @classmethod
    def from_settings(cls, settings, base_dir):
        """Build the gravity plugin from the table `gravity`, and the other from `resonance`."""
        gravity = dict(settings["gravity"])
        plugin = find(gravity.pop("plugin"), base_dir, "gravity.plugin").from_settings(gravity, base_dir)
        depth = plugin.space.variables[0]
        return cls([plugin, Resonance(base_dir / settings["resonance"]["file"], depth)])
