"""Depth of a sedimentary basin from gravity, in NumPy: to copy where the gradient can be written down."""

import numpy as np

from vip.protocols import ModelSpace, Variable

TWO_G = 2 * 6.674e-11 * 1e8
"""Twice the constant of gravitation, mGal per km and kg/m3."""


class Basin:
    """Gravity of columns of sediment, which are rectangular prisms, endless across the section; the model is their depth.

    An edge at distance x from the station, of depth h, adds ``2 G density (x/2 ln(1 + h^2/x^2) + h atan(x/h))`` (Telford et
    al. 1990, section 2.7), with signs + and - for the two edges of a column. Its derivative by h is the angle atan(x/h).
    """

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
        self.ndim = self.space.size

    @classmethod
    def from_settings(cls, settings, base_dir):
        """Build from the other keys of [forward]; files are beside the configuration."""
        return cls(**{**settings, "file": base_dir / settings["file"]})

    def simulate(self, models):
        """Gravity (n, stations), mGal, of depths (n, columns), km."""
        return self._columns(models, lambda x, h: x / 2 * np.log1p((h / x) ** 2) + h * np.arctan2(x, h)).sum(axis=2)

    def __call__(self, models):
        """Log-likelihood (n,) and gradient (n, columns)."""
        residual = (self.observed - self.simulate(models)) / self.sigma
        slope = self._columns(models, np.arctan2)
        # Not ``residual @ slope``: a matrix product rounds a particle's sum by how many others there are.
        gradient = ((residual / self.sigma)[:, :, None] * slope).sum(axis=1)
        return -0.5 * (residual**2).sum(axis=1), gradient

    def _columns(self, models, edge):
        """What each column gives at each station, (n, stations, columns)."""
        h = models[:, None, :]
        return self.scale * (edge(self.x[:, 1:], h) - edge(self.x[:, :-1], h))
