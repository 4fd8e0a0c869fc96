"""EikoNet: travel time between any two places of a box, by a neural network (Smith et al. 2021, IEEE TGRS 59, 10685).

The network is T = R m, R the distance and m the mean slowness (their eq. 5), trained on the eikonal equation alone. It is not
their network of 10 residual blocks of 512 neurons, for which half a day of a GPU is needed, but a thousandth of its size:

- m lies between the slownesses of the medium, by a sigmoid (Grubas, Duchkov & Loginov 2023, J. Comput. Phys. 474, eq. 14):
  every step of the training is a possible travel time, and first arrivals are found rather than later ones.
- What enters is symmetric in the two places, so that reciprocity is exact: sums, and products of differences.
- Depth enters as delay times, the integrals of sqrt(s^2 - p^2) over depth for a few ray parameters p (as in the tau-p method):
  m is smooth as a function of these where slownesses jump, and as a function of depth it is not.
- Distances enter as logarithms, and directions, each at several lengths: a box may be 450 km wide and 30 km deep.
- Where velocity depends on depth alone, the network knows nothing of the azimuth or of where on the map the places are.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vip.forward.neural.device import best_device, torch_threads
from vip.forward.neural.saved import load_tensors, save_tensors
from vip.protocols import Floats

WIDTH, HIDDEN = 48, 3
"""Number of neurons of a hidden layer, and number of hidden layers."""
RAYS = 5
"""Number of ray parameters of delay times, the first of which is 0."""
LENGTHS = 4
"""Number of lengths at which the network distinguishes directions."""
SLACK = 0.01
"""Share by which m may exceed the slownesses of the medium: a sigmoid never reaches its bounds."""
AT_ONCE = 3072
"""Number of pairs of places that are always evaluated together, 3 times a power of 2. The last bits of a matrix product depend
on its shape, and on a column's position unless the columns are a multiple of those computed together, mostly 24 or 48."""
COINCIDENT = 1e-20
"""Number added to squared distances, km^2, so that there is a gradient at the source."""
FORMAT = "vip eikonet 1"


class Medium(NamedTuple):
    """Slownesses on the nodes of a box."""

    slowness: Floats
    """Slowness (nx, ny, nz), s/km, linear between nodes; nx = ny = 1 where it depends on depth alone."""
    lower: Floats
    """X, y and depth (3,) of the first node, km."""
    upper: Floats
    """X, y and depth (3,) of the last node, km."""

    @property
    def layered(self) -> bool:
        """Whether slowness depends on depth alone."""
        return self.slowness.shape[:2] == (1, 1)


class Shape(NamedTuple):
    """Everything about a network except its weights."""

    lower: Floats
    """Lower corner (3,) of the box: x, y and depth, km."""
    upper: Floats
    bounds: tuple[float, float]
    """Bounds of slowness, s/km."""
    layered: bool
    phase: str

    @property
    def reach(self) -> float:
        """Longest horizontal distance, km."""
        return float(np.linalg.norm(self.upper[:2] - self.lower[:2]))

    @property
    def lengths(self) -> Floats:
        """Lengths (LENGTHS,), km, at which the network distinguishes directions."""
        return np.geomspace((self.upper[2] - self.lower[2]) / 30, self.reach / 6, LENGTHS)


class EikoNet:
    """Travel times of one phase between any two places of a box.

    Parameters
    ----------
    shape : Shape
    tensors : mapping of str to tensor
        "profile" (nz,): mean slowness by depth, s/km; "centre" and "scale" (n_features, 1); "weight0", "bias0" and so on. All
        of one dtype and on one device, on which the network is evaluated.
    """

    def __init__(self, shape: Shape, tensors: Mapping[str, Any]) -> None:
        self.shape, self.tensors = shape, dict(tensors)

    def times(self, a: Floats, b: Floats, threads: int = 1) -> tuple[Floats, Floats]:
        """Travel times (n,), s, between places a and b (n, 3: x, y, depth, km), and their gradients (n, 3) by a, s/km.

        Results are as exact as the tensors' dtype. The result for a pair does not depend on the pairs evaluated with it. Places
        outside the box are not refused here, but their times mean nothing.
        """
        n = len(a)
        pairs = np.empty((2, 3, -(-n // AT_ONCE) * AT_ONCE))
        pairs[..., :n] = a.T, b.T
        pairs[..., n:] = self.shape.lower[:, None]
        time, gradient = np.empty(pairs.shape[2]), np.empty(pairs.shape[1:])
        with torch_threads(threads):
            for first in range(0, pairs.shape[2], AT_ONCE):
                at_once = slice(first, first + AT_ONCE)
                time[at_once], gradient[:, at_once] = self._evaluate(pairs[..., at_once])
        return time[:n], gradient[:, :n].T

    def _evaluate(self, pairs: Floats) -> tuple[Floats, Floats]:
        import torch

        a, b = torch.tensor(pairs).to(self.tensors["profile"])
        a.requires_grad_()
        time = self.time(a, b)
        (gradient,) = torch.autograd.grad(time.sum(), a)
        return time.detach().cpu().numpy(), gradient.cpu().numpy()

    def time(self, a: Any, b: Any) -> Any:
        """Travel times T = R m, as of `times`, from tensors (3, n), for automatic differentiation."""
        import torch

        features, distance = self.features(a, b)
        t = self.tensors
        h = (features - t["centre"]) / t["scale"]
        for layer in range(HIDDEN):
            h = torch.tanh(torch.addmm(t[f"bias{layer}"], t[f"weight{layer}"], h))
        share = torch.sigmoid(torch.addmm(t[f"bias{HIDDEN}"], t[f"weight{HIDDEN}"], h))[0]
        low, high = self.shape.bounds[0] * (1 - SLACK), self.shape.bounds[1] * (1 + SLACK)
        return distance * (low + (high - low) * share)

    def features(self, a: Any, b: Any) -> tuple[Any, Any]:
        """Features (n_features, n) of pairs of places, the same for (a, b) and (b, a); and distances (n,), km."""
        import torch

        lengths = a.new_tensor(self.shape.lengths)[:, None] ** 2
        apart = b - a
        across, steep = apart[0] ** 2 + apart[1] ** 2, apart[2] ** 2
        squared = across + steep + COINCIDENT
        delay_a, delay_b = self._delays(a[2]), self._delays(b[2])
        found = [
            delay_a + delay_b,
            (delay_a - delay_b) ** 2,
            torch.log1p(across / lengths),
            torch.sqrt(across + lengths[:1]),
            steep / (squared + lengths),
        ]
        if not self.shape.layered:
            found.append(a[:2] + b[:2])
            found += [apart[i] * apart[j] / (squared + lengths) for i, j in ((0, 0), (0, 1), (1, 1), (0, 2), (1, 2))]
        return torch.cat(found), torch.sqrt(squared)

    def _delays(self, depth: Any) -> Any:
        """Delay times (RAYS, n), s, from the top to depths (n,): parabolas between the nodes of the profile."""
        start, slope, bend = self._delay_table
        top, bottom = self.shape.lower[2], self.shape.upper[2]
        at = (depth - top) / (bottom - top) * start.shape[1]
        cell = at.detach().long().clamp(0, start.shape[1] - 1)
        within = at - cell
        return start[:, cell] + within * (slope[:, cell] + within * bend[:, cell])

    @cached_property
    def _delay_table(self) -> Any:
        """Coefficients (3, RAYS, nz - 1) of the parabolas. Ray parameters: 0, and slownesses of the profile evenly by rank."""
        import torch

        profile = self.tensors["profile"].detach().double()
        step = float(self.shape.upper[2] - self.shape.lower[2]) / (len(profile) - 1)
        rank = torch.linspace(0, 0.9, RAYS - 1, dtype=profile.dtype, device=profile.device)
        rays = torch.cat([profile.new_zeros(1), torch.quantile(profile, rank)])
        vertical = torch.sqrt((profile**2 - rays[:, None] ** 2).clamp(min=0)) * step
        slope, bend = vertical[:, :-1], vertical.diff(dim=1) / 2
        start = torch.cumsum(slope + bend, dim=1) - (slope + bend)
        return torch.stack([start, slope, bend]).to(self.tensors["profile"])

    def save(self, file: Path) -> None:
        """Write the network to a file, which appears as a whole, since others may read it."""
        s = self.shape
        about = {
            "lower": s.lower.tolist(),
            "upper": s.upper.tolist(),
            "bounds": s.bounds,
            "layered": s.layered,
            "phase": s.phase,
        }
        save_tensors(file, FORMAT, about, self.tensors)

    @classmethod
    def load(cls, file: Path, device: Any = None) -> EikoNet:
        """Read a network that `save` wrote, onto the GPU if there is one, unless another device is named.

        Raises
        ------
        ConfigError
            If the file is damaged, or is not that of a network.
        """
        layers = (f"{kind}{layer}" for kind in ("weight", "bias") for layer in range(HIDDEN + 1))
        s, tensors = load_tensors(file, FORMAT, {"profile", "centre", "scale", *layers}, device or best_device())
        shape = Shape(np.array(s["lower"]), np.array(s["upper"]), tuple(s["bounds"]), s["layered"], s["phase"])
        return cls(shape, tensors)
