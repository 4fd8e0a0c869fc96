"""Meaning of the entries of a model vector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
"""Arrays of double precision."""


@dataclass(frozen=True)
class Variable:
    """One labelled part of a model vector.

    Parameters
    ----------
    name : str
    units : str
        SI or km and km/s; "1" for a pure number.
    dims : tuple of str
        Names of its axes; empty for a single number.
    coords : mapping of str to array
        Coordinates along each axis.
    long_name : str
        For axis labels.
    coord_units : mapping of str to str
        Units of the coordinates.

    Examples
    --------
    >>> Variable("velocity", "km/s", ("x",), {"x": np.arange(3.0)}).shape
    (3,)
    """

    name: str
    units: str
    dims: tuple[str, ...] = ()
    coords: Mapping[str, Floats] = field(default_factory=dict)
    long_name: str = ""
    coord_units: Mapping[str, str] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return tuple(len(self.coords[dim]) for dim in self.dims)

    @property
    def size(self) -> int:
        """Number of entries of the model vector."""
        return int(np.prod(self.shape, dtype=int))


@dataclass(frozen=True)
class ModelSpace:
    """Meaning of the entries of a model vector: variables one after the other.

    Examples
    --------
    >>> space = ModelSpace((Variable("v", "km/s", ("x",), {"x": np.arange(3.0)}), Variable("log_noise", "1")))
    >>> space.size, space.slices()["log_noise"]
    (4, slice(3, 4, None))
    """

    variables: tuple[Variable, ...]

    @property
    def size(self) -> int:
        """Length of a model vector."""
        return sum(variable.size for variable in self.variables)

    def slices(self) -> dict[str, slice]:
        """Slice of each variable in a model vector, by its name."""
        ends = np.cumsum([variable.size for variable in self.variables]).tolist()
        return {v.name: slice(end - v.size, end) for v, end in zip(self.variables, ends, strict=True)}

    def unpack(self, models: Floats) -> dict[str, Floats]:
        """Split models (..., d) into arrays (..., *shape) by variable."""
        slices = self.slices()
        return {v.name: models[..., slices[v.name]].reshape(models.shape[:-1] + v.shape) for v in self.variables}
