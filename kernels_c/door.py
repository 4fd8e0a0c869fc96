"""Checks of the arguments of every kernel: C gets what it expects, or the argument is refused by its name.

C reads memory without checks, so each argument's dtype, shape, memory order and range are checked here first.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]

LARGEST = sys.float_info.max
"""Largest finite number."""
SMALLEST = sys.float_info.min
"""Smallest positive number that has full precision."""

MOST = 2**31 - 1
"""Largest number that C counts to."""

Shape = Sequence[int | str]
"""Lengths of axes; for a free one, the name that it has in the documentation."""


def real(
    name: str,
    values: ArrayLike,
    shape: Shape,
    *,
    low: float = -LARGEST,
    high: float = LARGEST,
    unit: str = "",
    axes: Sequence[str] = (),
    dtype: DTypeLike = np.float64,
    strided: bool = False,
) -> NDArray[Any]:
    """Real numbers in native byte order, contiguous unless the kernel takes strides; copied only if they are not so already.

    Parameters
    ----------
    name : str
        Name of the argument.
    values : array_like
        Values of any real dtype and memory order.
    shape : sequence of int or str
        Shape that is expected. A name stands for any length but 0.
    low, high : float
        Least and largest value that the kernel takes; by default, all finite numbers.
    unit : str
        Unit of the values.
    axes : sequence of str
        Names of what the axes count, for instance "model" and "node".
    dtype : dtype_like
        Dtype that the kernel takes.
    strided : bool
        Whether the kernel takes any strides.

    Raises
    ------
    TypeError
        If the values are not real numbers.
    ValueError
        If they have another shape, or one of them is NaN, infinite or out of range.

    Examples
    --------
    >>> real("velocity", [[2, 3]], ("n", 2), low=SMALLEST, unit="km/s", axes=("model", "node"))
    array([[2., 3.]])
    >>> real("velocity", [[2, -3]], ("n", 2), low=SMALLEST, unit="km/s", axes=("model", "node"))
    Traceback (most recent call last):
    ValueError: velocity: model 0, node 1: -3.0 km/s: must be positive
    """
    given = _of_kind("fiu", "real numbers", name, values)
    _check_shape(name, given.shape, shape)
    found = np.require(given, dtype, ["ALIGNED"]) if strided else np.ascontiguousarray(given, dtype)
    if not (low <= float(found.min()) and float(found.max()) <= high):  # false for NaN
        _refuse(name, found, low, high, unit, axes)
    return found


def integers(name: str, values: ArrayLike, shape: Shape, *, low: int, high: int, dtype: DTypeLike = np.int64) -> NDArray[Any]:
    """Whole numbers from `low` to `high`, contiguous.

    Parameters and errors are those of `real`.

    Examples
    --------
    >>> integers("event", [0, 2], ("n_picks",), low=0, high=1)
    Traceback (most recent call last):
    ValueError: event: entry 1: 2: must be from 0 to 1
    """
    given = _of_kind("iu", "integers", name, values)
    _check_shape(name, given.shape, shape)
    if not (low <= int(given.min()) and int(given.max()) <= high):
        _refuse(name, given, low, high)
    return np.ascontiguousarray(given, dtype)


def points(name: str, values: ArrayLike, inside: Any, *, axes: int, unit: str = "") -> Floats:
    """Points (n, axes) that all lie in a grid.

    Parameters
    ----------
    name : str
        Name of the argument.
    values : (n, axes) array_like
        Coordinates.
    inside : callable
        Returns whether points (n, axes) lie in the grid, (n,) bool.
    axes : int
        Number of coordinates.
    unit : str
        Unit of the coordinates.

    Raises
    ------
    TypeError, ValueError
        As `real`, or if a point lies outside.
    """
    found = real(name, values, ("n", axes))
    outside = np.flatnonzero(~inside(found))
    if len(outside):
        raise ValueError(f"{name}: row {outside[0]}: {found[outside[0]].tolist()}{_behind(unit)} lies outside the grid")
    return found


def number(name: str, value: float, *, low: float, high: float) -> float:
    """A real number from `low` to `high`.

    Examples
    --------
    >>> number("widening", float("nan"), low=0.0, high=1.0)
    Traceback (most recent call last):
    ValueError: widening: nan: must be from 0 to 1
    """
    found = float(_of_kind("fiu", "a real number", name, value, axes=0))
    if not low <= found <= high:
        raise ValueError(f"{name}: {found}: must be {_range(low, high)}")
    return found


def whole(name: str, value: int, *, low: int = 1, high: int = MOST) -> int:
    """A whole number from `low` to `high`; at least 1 if they are not given.

    Examples
    --------
    >>> whole("threads", 0)
    Traceback (most recent call last):
    ValueError: threads: 0: must be at least 1
    """
    try:
        found = operator.index(value)
    except TypeError as error:
        raise TypeError(f"{name}: {value!r}: expected a whole number") from error
    if not low <= found <= high:
        raise ValueError(f"{name}: {found}: must be {_range(low, high)}")
    return found


def one_of(name: str, value: str, choices: Sequence[str]) -> str:
    """A word, which must be one of `choices`.

    Examples
    --------
    >>> one_of("precision", "float16", ("float32", "float64"))
    Traceback (most recent call last):
    ValueError: precision: 'float16': expected 'float32' or 'float64'
    """
    if value not in choices:
        raise ValueError(f"{name}: {value!r}: expected {' or '.join(map(repr, choices))}")
    return value


def array(name: str, values: ArrayLike) -> NDArray[Any]:
    """An array of any dtype and shape, for arguments whose shape decides what is expected.

    Raises
    ------
    ValueError
        If rows have different lengths.
    """
    try:
        return np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name}: is not an array: {error}") from error


def _of_kind(kinds: str, expected: str, name: str, values: ArrayLike, axes: int | None = None) -> NDArray[Any]:
    """An array of one of some kinds of dtype, with a given number of axes."""
    found = array(name, values)
    if found.dtype.kind not in kinds:
        raise TypeError(f"{name}: dtype {found.dtype}: expected {expected}")
    if axes is not None and found.ndim != axes:
        raise ValueError(f"{name}: shape {found.shape}: expected {expected}")
    return found


def _check_shape(name: str, found: tuple[int, ...], expected: Shape) -> None:
    """Raise `ValueError` for another shape, and for axes without an entry."""
    if found == expected or (len(found) == len(expected) and all(map(_fits, found, expected))):
        return
    free = [str(length) for length in expected if isinstance(length, str)]
    said = f"({', '.join(map(str, expected))}{',' if len(expected) == 1 else ''})"
    at_least = f", {' and '.join(free)} at least 1" if free else ""
    raise ValueError(f"{name}: shape {found}: expected {said}{at_least}")


def _fits(length: int, expected: int | str) -> bool:
    return length > 0 if isinstance(expected, str) else length == expected


def _refuse(name: str, values: NDArray[Any], low: float, high: float, unit: str = "", axes: Sequence[str] = ()) -> NoReturn:
    """Raise `ValueError` that names the first value out of range."""
    wide = values.astype(np.float64) if values.dtype.kind == "f" else values
    index = tuple(map(int, np.argwhere(~((wide >= low) & (wide <= high)))[0]))
    where = f"entry {index[0] if len(index) == 1 else index}"
    if axes:
        where = ", ".join(f"{axis} {i}" for axis, i in zip(axes, index, strict=True))
    raise ValueError(f"{name}: {where}: {values[index]}{_behind(unit)}: must be {_range(low, high)}")


def _range(low: float, high: float) -> str:
    """A range in words."""
    if high == LARGEST:
        return {-LARGEST: "finite", SMALLEST: "positive"}.get(low, f"at least {low:g}")
    if isinstance(high, int):
        return f"from {low} to {high}" if high < MOST else f"at least {low}"
    return f"from {low:g} to {high:g}"


def _behind(unit: str) -> str:
    return f" {unit}" if unit else ""
