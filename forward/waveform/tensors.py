"""Moment tensors: their conventions, their kinds, and their magnitude. Components are in the order of `TENSOR`."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from vip.errors import ConfigError
from vip.protocols import Floats

Convention = Literal["xyz", "NED", "USE"]
Linear = Literal["explosion", "deviatoric", "full"]

AXES: dict[str, Floats] = {
    "xyz": np.eye(3),
    "NED": np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]),
    "USE": np.array([[0.0, 0.0, 1.0], [0.0, -1.0, 0.0], [-1.0, 0.0, 0.0]]),
}
"""Rows are x (east), y (north) and depth of the model, columns the axes of a convention: north, east, down of Aki & Richards
(2002), or up, south, east (r, theta, phi) of the Global CMT catalogue."""
ROOT = np.sqrt(0.5)


def components(matrix: Any, convention: Convention, key: str) -> Floats:
    """Components (6,) in the model's axes of a tensor (3, 3) in a convention's.

    Raises
    ------
    ConfigError
        If it is not a symmetric 3 x 3 matrix of finite numbers; `key` is its place.

    Examples
    --------
    >>> components([[1, 4, 5], [4, 2, 6], [5, 6, 3]], "NED", "tensor").tolist()
    [2.0, 1.0, 3.0, 5.0, 6.0, 4.0]
    """
    given = np.array(matrix, dtype=float)
    if given.shape != (3, 3) or not np.isfinite(given).all() or not given.any():
        raise ConfigError(key, matrix, "expected three rows of three finite numbers, not all zero")
    gap = np.abs(given - given.T)
    if gap.max() > 1e-6 * np.abs(given).max():
        i, j = np.unravel_index(gap.argmax(), (3, 3))
        found = f"row {i + 1}, column {j + 1} is {given[i, j]:g}, row {j + 1}, column {i + 1} is {given[j, i]:g}"
        raise ConfigError(key, found, "a moment tensor is symmetric")
    turned = AXES[convention] @ given @ AXES[convention].T
    made: Floats = turned[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
    return made


def matrices(tensors: Floats, convention: Convention = "xyz") -> Floats:
    """Tensors (..., 3, 3) in a convention's axes of components (..., 6)."""
    made = tensors[..., [[0, 5, 4], [5, 1, 3], [4, 3, 2]]]
    turned: Floats = AXES[convention].T @ made @ AXES[convention]
    return turned


def scalar_moment(magnitude: Floats) -> Floats:
    """Scalar moment, N m, of a moment magnitude (Hanks & Kanamori 1979, as IASPEI defines it)."""
    moment: Floats = 10 ** (1.5 * np.asarray(magnitude, float) + 9.1)
    return moment


def magnitude(tensors: Floats) -> Floats:
    """Moment magnitudes (...) of tensors (..., 6), N m; the scalar moment is their Frobenius norm over the root of two.

    Examples
    --------
    >>> round(float(magnitude(scalar_moment(2.0) * double_couple(30.0, 0.5, 45.0)[0])), 12)
    2.0
    """
    norm = np.sqrt((tensors**2 * [1, 1, 1, 2, 2, 2]).sum(axis=-1) / 2)
    found: Floats = (np.log10(norm) - 9.1) / 1.5
    return found


def basis(kind: Linear) -> Floats:
    """Tensors (6, k) whose sums make a linear kind: orthonormal in the Frobenius norm, so that no direction is preferred.

    Examples
    --------
    >>> b = basis("deviatoric")
    >>> b.shape, bool(np.allclose(b[:3].sum(axis=0), 0))
    ((6, 5), True)
    """
    isotropic = np.array([1, 1, 1, 0, 0, 0]) / np.sqrt(3)
    vertical = np.array([-1, -1, 2, 0, 0, 0]) / np.sqrt(6)
    across = np.array([1, -1, 0, 0, 0, 0]) * ROOT
    shears = ROOT * np.eye(6)[3:]
    rows = {"explosion": [isotropic], "deviatoric": [vertical, across, *shears]}
    return np.array(rows.get(kind, [isotropic, vertical, across, *shears])).T


def double_couple(strike: Any, cos_dip: Any, rake: Any) -> tuple[Floats, Floats]:
    """Double couples (..., 6) of scalar moment 1, and their derivatives (..., 6, 3) by strike, cosine of dip, and rake.

    Angles are in degrees, as defined by Aki & Richards (2002, fig. 4.20 and eq. 4.88).

    Examples
    --------
    A vertical fault to the north that slips left-laterally moves its eastern side to the south::

        double_couple(0.0, 0.0, 0.0)[0]  # M_xy = 1
    """
    to_radians = np.pi / 180
    phi, h, lam = np.broadcast_arrays(np.asarray(strike) * to_radians, cos_dip, np.asarray(rake) * to_radians)
    sin_dip = np.sqrt(np.maximum(1 - h**2, 1e-12))
    cp, sp, cl, sl, zero = np.cos(phi), np.sin(phi), np.cos(lam), np.sin(lam), np.zeros(phi.shape)
    by_dip = -h / sin_dip  # derivative of the sine by the cosine
    normal = _vector(-sin_dip * sp, sin_dip * cp, -h)
    slip = _vector(cl * cp + h * sl * sp, cl * sp - h * sl * cp, -sl * sin_dip)
    moved = [
        (_vector(-sin_dip * cp, -sin_dip * sp, zero), _vector(-cl * sp + h * sl * cp, cl * cp + h * sl * sp, zero), to_radians),
        (_vector(-by_dip * sp, by_dip * cp, zero - 1), _vector(sl * sp, -sl * cp, -sl * by_dip), 1.0),
        (_vector(zero, zero, zero), _vector(-sl * cp + h * cl * sp, -sl * sp - h * cl * cp, -cl * sin_dip), to_radians),
    ]
    slopes = [unit * (_outer(by_normal, slip) + _outer(normal, by_slip)) for by_normal, by_slip, unit in moved]
    return _outer(normal, slip), np.stack(slopes, axis=-1)


def _vector(north: Floats, east: Floats, down: Floats) -> Floats:
    """Vectors (..., 3) in the model's axes: east, north, depth."""
    return np.stack([east, north, down], axis=-1)


def _outer(a: Floats, b: Floats) -> Floats:
    """Components (..., 6) of a b^T + b a^T."""
    return np.stack(
        [a[..., p] * b[..., q] + a[..., q] * b[..., p] for p, q in zip([0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1], strict=True)],
        axis=-1,
    )
