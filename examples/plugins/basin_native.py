"""Depth of a sedimentary basin from gravity, in C or Fortran: to copy where physics is in a compiled library."""

import ctypes

import numpy as np
from numpy.ctypeslib import ndpointer

from vip.errors import ConfigError
from vip.protocols import ModelSpace, Variable

TWO_G = 2 * 6.674e-11 * 1e8
"""Twice the constant of gravitation, mGal per km and kg/m3."""
ARRAY = ndpointer(np.float64, flags="C_CONTIGUOUS")  # ctypes then refuses any other


class Basin:
    """Gravity of columns of sediment by the function `basin` of basin.c or basin.f90; the model is their depth."""

    data_label = "gravity (mGal)"

    def __init__(self, library, file, density, columns, extent):
        self.inputs = [file]  # a run is not resumed once they have changed
        position, observed, sigma = np.loadtxt(file, delimiter=",", unpack=True)
        self.observed, self.sigma = observed.copy(), sigma.copy()  # columns of a table are not contiguous
        edges = np.linspace(0, extent, columns + 1)
        x = edges - position[:, None]
        self.x = np.where(x == 0, 1e-9, x)  # (stations, columns + 1), km; above an edge, the limit
        self.scale = TWO_G * density
        coords = {"position": (edges[1:] + edges[:-1]) / 2}
        depth = Variable("depth", "km", ("position",), coords, "depth of the basement", {"position": "km"})
        self.space = ModelSpace((depth,))
        self.ndim = self.space.size
        if not library.is_file():
            raise ConfigError("library", library, f"is not built yet: make -C {library.parent} {library.name}")
        self._basin = ctypes.CDLL(str(library.resolve())).basin
        self._basin.argtypes = [*[ctypes.c_int] * 3, ctypes.c_double, *[ARRAY] * 7]
        self._basin.restype = None

    @classmethod
    def from_settings(cls, settings, base_dir):
        """Build from the other keys of [forward]; files are beside the configuration."""
        return cls(**{**settings, **{key: base_dir / settings[key] for key in ("library", "file")}})

    def simulate(self, models):
        """Gravity (n, stations), mGal, of depths (n, columns), km."""
        return self._call(models)[0]

    def __call__(self, models):
        """Log-likelihood (n,) and gradient (n, columns)."""
        return self._call(models)[1:]

    def _call(self, models):
        models = np.ascontiguousarray(models, dtype=np.float64)
        n, stations = len(models), len(self.observed)
        predicted, value, gradient = np.empty((n, stations)), np.empty(n), np.empty((n, self.ndim))
        given = (self.x, self.observed, self.sigma, models)
        self._basin(n, stations, self.ndim, self.scale, *given, predicted, value, gradient)
        return predicted, value, gradient
