"""Coefficients of cubic B-splines that go through values on the nodes of a grid."""

from __future__ import annotations

from typing import Any

import numpy as np

from vip.kernels_c.door import Floats

POLE = np.sqrt(3.0) - 2.0
"""Pole of the recursive filter that inverts (1, 4, 1) / 6 (Unser 1999, box 2)."""
BEYOND = 8
"""Number of nodes by which values are continued before filtering; errors there fall by the pole from node to node."""
BEFORE, BEHIND = 1, 2
"""Numbers of coefficients that splines need before the first node and behind the last."""


def coefficients(values: Floats, even: bool) -> Floats:
    """Coefficients (n, *shape + 3) of splines through values (n, *shape), three nodes or more along each axis.

    Beyond the borders values go on as parabolas; before the first node of the first axis, if it is `even`, as a mirror image.

    Examples
    --------
    >>> c = coefficients(np.array([[1.0, 2.0, 5.0, 10.0]]), even=False)[0]
    >>> ((c[:-3] + 4 * c[1:-2] + c[2:-1]) / 6).round(12).tolist()
    [1.0, 2.0, 5.0, 10.0]
    """
    for axis in range(1, values.ndim):
        along = np.moveaxis(values, axis, 0)
        before = along[1 : BEYOND + 1][::-1] if even and axis == 1 else _continued(along)[::-1]
        filtered = _filtered(np.concatenate([before, along, _continued(along[::-1])]))
        kept = filtered[len(before) - BEFORE : len(before) + len(along) + BEHIND]
        values = np.moveaxis(kept, 0, axis)
    return values


def _continued(values: Any) -> Any:
    """Values that continue the first ones, outwards."""
    steps = np.arange(1.0, BEYOND + 1).reshape(-1, *[1] * (values.ndim - 1))
    slope, bend = values[0] - values[1], values[0] - 2 * values[1] + values[2]
    return values[0] + steps * slope + steps * (steps + 1) / 2 * bend


def _filtered(values: Any) -> Any:
    """Values filtered along the first axis, by a causal and an anticausal pass, mirrored at the borders."""
    n = len(values)
    c = np.empty(values.shape)
    c[0] = np.tensordot(POLE ** np.arange(n), values, 1)
    for k in range(1, n):
        c[k] = values[k] + POLE * c[k - 1]
    c[-1] = POLE / (POLE**2 - 1) * (c[-1] + POLE * c[-2])
    for k in range(n - 2, -1, -1):
        c[k] = POLE * (c[k + 1] - c[k])
    return 6 * c
