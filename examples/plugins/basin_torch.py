"""Depth of a sedimentary basin from gravity, in PyTorch: to copy where autograd is to give the gradient."""

import numpy as np
import torch

from vip.protocols import ModelSpace, Variable

TWO_G = 2 * 6.674e-11 * 1e8
"""Twice the constant of gravitation, mGal per km and kg/m3."""


class Basin:
    """Gravity of columns of sediment, as in basin_numpy.py; the model is their depth. On the GPU if there is one."""

    data_label = "gravity (mGal)"

    def __init__(self, file, density, columns, extent):
        self.inputs = [file]  # a run is not resumed once they have changed
        position, self.observed, self.sigma = np.loadtxt(file, delimiter=",", unpack=True)
        edges = np.linspace(0, extent, columns + 1)
        x = edges - position[:, None]
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.x = self._tensor(np.where(x == 0, 1e-9, x))  # (stations, columns + 1), km; above an edge, the limit
        self.data, self.error = self._tensor(self.observed), self._tensor(self.sigma)
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
        with torch.no_grad():
            return self._gravity(self._tensor(models)).cpu().numpy()

    def __call__(self, models):
        """Log-likelihood (n,) and gradient (n, columns)."""
        depth = self._tensor(models).requires_grad_()
        value = -0.5 * (((self.data - self._gravity(depth)) / self.error) ** 2).sum(dim=1)
        (gradient,) = torch.autograd.grad(value.sum(), depth)  # of the sum: no value depends on another particle's model
        return value.detach().cpu().numpy(), gradient.cpu().numpy()

    def _gravity(self, depth):
        h = depth[:, None, :]
        edges = [x / 2 * torch.log1p((h / x) ** 2) + h * torch.atan2(x, h) for x in (self.x[:, 1:], self.x[:, :-1])]
        return self.scale * (edges[0] - edges[1]).sum(dim=2)

    def _tensor(self, array):
        # A copy, in double precision: models may be read-only, or of memory that is used again.
        return torch.tensor(np.ascontiguousarray(array), dtype=torch.float64, device=self.device)
