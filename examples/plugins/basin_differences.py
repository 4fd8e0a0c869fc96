"""Depth of a sedimentary basin from gravity, by a code without a gradient: to copy where there is nothing else yet."""

import numpy as np

from vip.forward.combine import FiniteDifferences
from vip.protocols import ModelSpace, Variable

TWO_G = 2 * 6.674e-11 * 1e8
"""Twice the constant of gravitation, mGal per km and kg/m3."""


class Code:
    """Gravity of columns of sediment, as in basin_numpy.py. It predicts data; with them, differences make a forward of it."""

    data_label = "gravity (mGal)"

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

    def simulate(self, models):
        """Gravity (n, stations), mGal, of depths (n, columns), km."""
        h = models[:, None, :]
        right, left = (x / 2 * np.log1p((h / x) ** 2) + h * np.arctan2(x, h) for x in (self.x[:, 1:], self.x[:, :-1]))
        return self.scale * (right - left).sum(axis=2)


class Basin(FiniteDifferences):
    """The code, with a gradient; its other keys are those of [forward]."""

    @classmethod
    def from_settings(cls, settings, base_dir):
        """Build from the other keys of [forward]; files are beside the configuration."""
        code = {key: value for key, value in settings.items() if key != "step"}
        return cls(Code(**{**code, "file": base_dir / code["file"]}), settings["step"])
