"""How variables are laid out in figures."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from vip.protocols import ModelSpace, Variable

Scalar = TypeVar("Scalar", bound=np.generic)

WIDTH = 9.0
"""Width of a figure, inches."""
SPACING = 0.12
"""Space between panels with axes of their own, inches."""

MAX_HISTOGRAMS = 12
"""Largest number of histograms of a variable: one of more single numbers is drawn as one line over its entries."""


class Panel(NamedTuple):
    """One map, line or number: a part of the model vector."""

    label: str
    """Values of the leading dimensions: "period 10 s"."""
    first: int
    shape: tuple[int, ...]

    def of(self, models: NDArray[Scalar]) -> NDArray[Scalar]:
        """The panel's part of models (..., d), in the shape of the panel."""
        end = self.first + int(np.prod(self.shape, dtype=int))
        return models[..., self.first : end].reshape(models.shape[:-1] + self.shape)


def space_dims(variable: Variable) -> tuple[str, ...]:
    """Dimensions in space: all but leading ones that are labels, like periods or phases.

    Examples
    --------
    >>> axes = {"period": np.array(["5 s", "10 s"]), "x": np.arange(3.0)}
    >>> space_dims(Variable("velocity", "km/s", ("period", "x"), axes))
    ('x',)
    """
    dims = variable.dims
    while dims and (dims[0] == "period" or not _is_numeric(variable, dims[0])):
        dims = dims[1:]
    return dims


def kind(variable: Variable) -> str:
    """How a variable is drawn: as "maps", "lines" or "numbers", or its "entries" one after the other."""
    dims = space_dims(variable)
    if len(dims) > 2 or not all(_is_numeric(variable, dim) for dim in dims):
        return "entries"
    if not dims:
        return "numbers" if variable.size <= MAX_HISTOGRAMS else "entries"
    return "lines" if len(dims) == 1 else "maps"


def maps_of(space: ModelSpace) -> list[Variable]:
    """Variables that are drawn as maps."""
    return [variable for variable in space.variables if kind(variable) == "maps"]


def panels(space: ModelSpace, variable: Variable) -> list[Panel]:
    """A variable's maps, lines or numbers, one for every combination of its leading dimensions.

    Examples
    --------
    >>> phases = Variable("residual", "s", ("phase",), {"phase": np.array(["P", "S"])})
    >>> [panel.label for panel in panels(ModelSpace((phases,)), phases)]
    ['phase P', 'phase S']
    """
    first = space.slices()[variable.name].start
    if kind(variable) == "entries":
        return [Panel("", first, (variable.size,))]
    n_leading = len(variable.dims) - len(space_dims(variable))
    shape = variable.shape[n_leading:]
    labels = [
        ", ".join(f"{dim} {variable.coords[dim][i]}" for dim, i in zip(variable.dims, index, strict=False))
        for index in np.ndindex(variable.shape[:n_leading])
    ]
    return [Panel(label, first + i * int(np.prod(shape, dtype=int)), shape) for i, label in enumerate(labels)]


def titled(text: str, panel: Panel) -> str:
    """Title of a panel: what it shows, and for which period."""
    return f"{text}, {panel.label}" if panel.label else text


def name_of(variable: Variable) -> str:
    """Name of a variable as it is written in text."""
    return variable.long_name or variable.name


def value_label(variable: Variable) -> str:
    """Name and units of the values."""
    return with_units(name_of(variable), variable.units)


def axis_label(variable: Variable, dim: str) -> str:
    """Name and units of a coordinate; degrees are on the ticks."""
    units = variable.coord_units.get(dim, "")
    return dim if units.startswith("degrees") else with_units(dim, units)


def with_units(text: str, units: str) -> str:
    """Text and units, where there are any.

    Examples
    --------
    >>> with_units("velocity", "km/s"), with_units("log_noise", "1")
    ('velocity (km/s)', 'log_noise')
    """
    return text if units in ("", "1") else f"{text} ({units})"


def format_ticks(axis: Any, units: str) -> None:
    """Write degrees as °N, °S, °E or °W."""
    marks = {"degrees_north": ("°S", "°", "°N"), "degrees_east": ("°W", "°", "°E")}.get(units)
    if marks:
        axis.set_major_formatter(lambda value, position: f"{abs(value):g}{marks[int(np.sign(value)) + 1]}")


def rounded(value: float) -> str:
    """A number as text with three digits, and no exponent below a billion.

    Examples
    --------
    >>> rounded(1.0234), rounded(1012.3)
    ('1.02', '1,012')
    """
    return f"{value:,.0f}" if 100 <= value < 1e9 else f"{value:.3g}"


def counted(n: int, what: str) -> str:
    """A number of things as text, in the singular or plural.

    Examples
    --------
    >>> counted(1, "sample"), counted(20, "sample")
    ('1 sample', '20 samples')
    """
    return f"{n:,} {what}" + "s" * (n != 1)


def points_down(dim: str) -> bool:
    """Whether a coordinate grows downwards."""
    return dim in ("z", "depth")


def _is_numeric(variable: Variable, dim: str) -> bool:
    return bool(np.issubdtype(np.asarray(variable.coords[dim]).dtype, np.number))
