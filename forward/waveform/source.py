"""What is unknown of the source: its moment tensor, sampled or integrated out. Tensors are in N m."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import numpy as np

from vip.forward.waveform.tensors import Linear, basis, double_couple, scalar_moment
from vip.protocols import Floats, Variable

Bounds = Mapping[str, tuple[float, float]]
MAGNITUDES = (-4.0, 4.0)
"""Magnitudes between which microseismic events are sought without other bounds."""
LOG = 1.5 * np.log(10)
"""Derivative of the logarithm of the moment by the magnitude."""


class Tensors(NamedTuple):
    """Tensors (n, 6), N m, of the parameters (n, k) of a source, and their derivatives (n, 6, k)."""

    tensors: Floats
    slopes: Floats


class Source(Protocol):
    """Source whose parameters are sampled."""

    variables: tuple[Variable, ...]
    bounds: Bounds

    def __call__(self, parameters: Floats) -> Tensors:
        """Tensors of parameters (n, k)."""


class Mechanism:
    """Source of a known mechanism.

    Parameters
    ----------
    tensor : (6,) float
        Tensor of any size.
    magnitude : float, optional
        Moment magnitude; unknown by default.
    """

    def __init__(self, tensor: Floats, magnitude: float | None = None) -> None:
        norm = np.sqrt((tensor**2 * [1, 1, 1, 2, 2, 2]).sum() / 2)
        self.unit, self.magnitude = tensor / norm, magnitude
        self.variables: tuple[Variable, ...] = () if magnitude is not None else (_magnitude(),)
        self.bounds: Bounds = {} if magnitude is not None else {"magnitude": MAGNITUDES}

    def __call__(self, parameters: Floats) -> Tensors:
        """Tensors of magnitudes (n, 1), or of no parameters (n, 0)."""
        if self.magnitude is not None:
            made = np.tile(scalar_moment(np.array(self.magnitude)) * self.unit, (len(parameters), 1))
            return Tensors(made, np.zeros((len(parameters), 6, 0)))
        made = scalar_moment(parameters) * self.unit
        return Tensors(made, LOG * made[..., None])


class DoubleCouple:
    """Double couple with unknown strike, dip, rake and magnitude; the dip by its cosine, so that no direction is preferred."""

    def __init__(self) -> None:
        self.variables: tuple[Variable, ...] = (
            Variable("strike", "degrees"),
            Variable("cos_dip", "1", long_name="cosine of the dip"),
            Variable("rake", "degrees"),
            _magnitude(),
        )
        self.bounds: Bounds = {"strike": (0.0, 360.0), "cos_dip": (0.0, 1.0), "rake": (-180.0, 180.0), "magnitude": MAGNITUDES}

    def __call__(self, parameters: Floats) -> Tensors:
        """Tensors of strike, cosine of the dip, rake and magnitude (n, 4)."""
        unit, slopes = double_couple(*parameters[:, :3].T)
        moment = scalar_moment(parameters[:, 3:])
        return Tensors(moment * unit, np.concatenate([moment[..., None] * slopes, LOG * (moment * unit)[..., None]], axis=2))


class Components:
    """Sum of the tensors of a linear kind, whose factors are sampled, in units of the scale that `typical_size` gives.

    Parameters
    ----------
    kind : "explosion", "deviatoric" or "full"
    typical : float
        Moment magnitude of the typical event; see `typical_size`.
    """

    LIMIT = 10.0
    """Largest size of a factor, in its typical sizes."""

    def __init__(self, kind: Linear, typical: float) -> None:
        self.basis, scale = basis(kind), typical_size(kind, typical)
        self.scaled = scale * self.basis
        names = np.arange(1, self.basis.shape[1] + 1)
        self.variables: tuple[Variable, ...] = (
            Variable("tensor", "1", ("component",), {"component": names}, f"tensor over {scale:.3g} N m"),
        )
        self.bounds: Bounds = {"tensor": (-self.LIMIT, self.LIMIT)}

    def __call__(self, parameters: Floats) -> Tensors:
        """Tensors of factors (n, k)."""
        made = (self.scaled @ parameters[..., None])[..., 0]
        return Tensors(made, np.broadcast_to(self.scaled, (len(parameters), *self.scaled.shape)))


def typical_size(kind: Linear, typical: float) -> float:
    """Standard deviation, N m, of the factors of `basis`, whose mean square scalar moment is then that of `typical`."""
    return float(scalar_moment(np.array(typical)) * np.sqrt(2 / basis(kind).shape[1]))


def _magnitude() -> Variable:
    return Variable("magnitude", "1", long_name="moment magnitude")
