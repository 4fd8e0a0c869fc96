"""Elementary seismograms of a homogeneous full space, in closed form: Aki & Richards (2002), eq. 4.29, all terms.

With s the moment rate, whose integrals are S and SS, the velocity along d of a tensor M at the distance r in the direction g is

    v = -[ (d.g) gMg A + (2 dMg + (d.g) tr M) B + dMg C ] / (4 pi density),
    A = X''' - 3 X''/r + 3 X'/r^2,  B = X''/r - X'/r^2,  C = Y',
    X = [SS(t - r/vp) - SS(t - r/vs)] / r,  Y = s(t - r/vs) / (vs^2 r),

where a dash is a derivative by r: near, intermediate and far terms are those of equal powers of r. The pressure, minus the bulk
modulus times the divergence, which P waves alone carry, is

    p = bulk / (4 pi density vp^2) [ gMg (Z'' - Z'/r) + tr M Z'/r ],  Z = S(t - r/vp) / r.

All are products of coefficients, which depend on the place, and of five functions of time: SS, S, s and the slopes of s, each
at the arrival of P and of S. The moment rate is a Gaussian, so that these are closed forms too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr

from vip.errors import ConfigError
from vip.forward.waveform.elementary import Channel, Elementary, Traces
from vip.protocols import Floats

PAIRS = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
"""Axes of each component of a tensor."""
FUNCTIONS = 5
"""Number of functions of time: two integrals of the moment rate, the rate and its first two derivatives."""
REACH = 6.0
"""Half the length of the pulse, in its standard deviations."""
FEWEST = 1.5
"""Least standard deviation of the pulse, samples: at the Nyquist frequency its spectrum is then 1.5e-5 of that at zero."""
ONE, TRACE = np.eye(3), np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])


class FullSpace:
    """Elementary seismograms of a homogeneous full space.

    Parameters
    ----------
    vp, vs, density : float
        Speeds of P and S, m/s, and density, kg/m^3.
    channels : sequence of Channel
    box : (3, 2) float
        Least and greatest x, y and depth of an event, m.
    width : float
        Standard deviation of the Gaussian moment rate, s.
    dt, start : float
        Sampling interval, and time of the first sample after the origin time, s.
    samples : int
    precision : str
        "float32" or "float64".

    Raises
    ------
    ConfigError
        If vs is not below vp/1.155, where the bulk modulus is zero; the pulse is too short for the sampling interval; or a
        receiver is inside the box, where an event would be at no distance from it.
    """

    def __init__(
        self,
        vp: float,
        vs: float,
        density: float,
        channels: Sequence[Channel],
        box: Floats,
        width: float,
        dt: float,
        samples: int,
        start: float = 0.0,
        precision: str = "float32",
    ) -> None:
        if not 0 < vs < vp * math.sqrt(0.75):
            raise ConfigError("greens.vs", vs, f"must be positive and below vp/1.155, which is {vp * math.sqrt(0.75):.6g} m/s")
        if width < FEWEST * dt:
            raise ConfigError("greens.width", width, f"must be at least {FEWEST * dt:.3g} s at a sampling interval of {dt:g} s")
        self.vp, self.vs, self.density, self.channels = vp, vs, density, tuple(channels)
        self.box, self.width, self.dt, self.samples, self.start = np.asarray(box, float), width, dt, samples, start
        self.precision = np.dtype(precision)
        half = math.ceil(REACH * width / dt)
        pulse = np.exp(-0.5 * (np.arange(-half, half + 1) * dt / width) ** 2)
        self.pulse = pulse / (pulse.sum() * dt)
        self._place = np.array([channel.position for channel in channels])
        self._direction = np.array([channel.direction for channel in channels])
        kinds = np.array([channel.kind for channel in channels])
        self._pressure, self._velocity = np.flatnonzero(kinds == "pressure"), np.flatnonzero(kinds == "velocity")
        self._check_receivers()

    def elementary(self, positions: Floats, slopes: bool = False) -> Elementary:
        """Elementary seismograms (n, channels, 6, samples) of events at `positions` (n, 3), m, and their slopes if wanted.

        Raises
        ------
        ValueError
            If a position is outside the box.
        """
        outside = ~((positions >= self.box[:, 0]) & (positions <= self.box[:, 1])).all(axis=1)
        if outside.any():
            raise ValueError(f"the place {positions[outside][0].tolist()} is outside the box {self.box.tolist()}")
        rows = 4 if slopes else 1
        made = np.empty((len(positions), len(self.channels), 6 * rows, self.samples), self.precision)
        offsets = self._place - positions[:, None]
        for where, waves in ((self._pressure, self._pressures), (self._velocity, self._velocities)):
            if len(where):
                offset = offsets[:, where]
                coefficients = waves(offset, np.linalg.norm(offset, axis=2), self._direction[where], slopes)
                speeds = (self.vp, self.vs)[: coefficients.shape[-1] // FUNCTIONS]
                # One small product for each place and channel, so that the result does not depend on the other places.
                made[:, where] = coefficients.astype(self.precision) @ self._functions(offset, speeds)
        traces = made[:, :, :6]
        if not slopes:
            return Elementary(traces, None)
        by_place = made[:, :, 6:].reshape(*made.shape[:2], 6, 3, self.samples)
        return Elementary(traces, np.moveaxis(by_place, 3, 4))

    def _functions(self, offset: Floats, speeds: Sequence[float]) -> Traces:
        """The functions of time (n, channels, 5 * speeds, samples) at the arrivals of waves of some speeds."""
        distance = np.linalg.norm(offset, axis=2)
        time = self.start + self.dt * np.arange(self.samples)
        arrival = np.stack([distance / speed for speed in speeds], axis=2)
        u = ((time - arrival[..., None]) / self.width).astype(self.precision)
        rate = np.exp(-0.5 * u**2) / self.precision.type(self.width * math.sqrt(2 * math.pi))
        made = np.empty((*u.shape[:3], FUNCTIONS, self.samples), self.precision)
        width = self.precision.type(self.width)
        made[..., 1, :] = ndtr(u)
        made[..., 0, :] = width * (u * made[..., 1, :] + width * rate)
        made[..., 2, :] = rate
        made[..., 3, :] = -u / width * rate
        made[..., 4, :] = (u**2 - 1) / width**2 * rate
        return made.reshape(*u.shape[:2], -1, self.samples)

    def _velocities(self, offset: Floats, r: Floats, direction: Floats, slopes: bool) -> Floats:
        """Coefficients (n, channels, 6 or 24, 10) of the functions of time of P and S."""
        of_p, of_s = _over_r(r, self.vp, 0, 4), _over_r(r, self.vs, 0, 4)
        x = [np.concatenate([p, -s], axis=2) for p, s in zip(of_p, of_s, strict=True)]
        y = [np.concatenate([np.zeros_like(s), s / self.vs**2], axis=2) for s in _over_r(r, self.vs, 2, 2)]
        r = r[..., None]
        radial = [x[3] - 3 * x[2] / r + 3 * x[1] / r**2, x[2] / r - x[1] / r**2, y[1]]
        by_r = [
            x[4] - 3 * x[3] / r + 6 * x[2] / r**2 - 6 * x[1] / r**3,
            x[3] / r - 2 * x[2] / r**2 + 2 * x[1] / r**3,
            y[2],
        ]
        g = offset / r
        along, gg, dg = (direction * g).sum(axis=2)[..., None], _pair(g, g), _pair(direction, g)
        patterns, by_offset = [along * gg, 2 * dg + along * TRACE, dg], None
        if slopes:
            turn = _turn(g, r)
            by_along, dt = turn @ direction[..., None], _pair(direction[:, None], turn)
            gt = _pair(g[:, :, None], turn)
            by_offset = [by_along * gg[:, :, None] + 2 * along[..., None] * gt, 2 * dt + by_along * TRACE, dt]
        return -_products(patterns, radial, by_offset, by_r, g) / (4 * math.pi * self.density)

    def _pressures(self, offset: Floats, r: Floats, direction: Floats, slopes: bool) -> Floats:
        """Coefficients (n, channels, 6 or 24, 5) of the functions of time of P."""
        bulk = self.density * (self.vp**2 - 4 / 3 * self.vs**2)
        z = _over_r(r, self.vp, 1, 3)
        r = r[..., None]
        radial = [z[2] - z[1] / r, z[1] / r]
        by_r = [z[3] - z[2] / r + z[1] / r**2, z[2] / r - z[1] / r**2]
        g = offset / r
        patterns, by_offset = [_pair(g, g), np.broadcast_to(TRACE, (*g.shape[:2], 6))], None
        if slopes:
            by_offset = [2 * _pair(g[:, :, None], _turn(g, r)), np.zeros((*g.shape[:2], 3, 6))]
        return bulk / (4 * math.pi * self.density * self.vp**2) * _products(patterns, radial, by_offset, by_r, g)

    def _check_receivers(self) -> None:
        for channel, place in zip(self.channels, self._place, strict=True):
            if ((place >= self.box[:, 0]) & (place <= self.box[:, 1])).all():
                remedy = f"the receiver is inside the box of events, {self.box.tolist()}: make the box smaller"
                raise ConfigError(f"station {channel.station}", place.tolist(), remedy)


def _over_r(r: Floats, speed: float, first: int, most: int) -> list[Floats]:
    """Derivatives by r of f(t - r/speed)/r, from order 0 to `most`: coefficients (n, channels, 5) of the functions of time.

    The number of f among the functions is `first`; each derivative of f is the next function, and one beyond the last is never
    needed.
    """
    made = []
    for order in range(most + 1):
        coefficients = np.zeros((*r.shape, FUNCTIONS))
        for j in range(order + 1):
            lower = order - j
            leibniz = math.comb(order, j) * (-1 / speed) ** j * (-1) ** lower * math.factorial(lower)
            coefficients[..., first + j] = leibniz / r ** (1 + lower)
        made.append(coefficients)
    return made


def _turn(g: Floats, r: Floats) -> Floats:
    """Derivatives (n, channels, 3, 3) of the unit vectors g, the last axis, by the offset, the axis before it."""
    turn: Floats = (ONE - g[..., :, None] * g[..., None, :]) / r[..., None]
    return turn


def _pair(a: Floats, b: Floats) -> Floats:
    """Factors (..., 6) by which the components of a tensor M enter a.M.b."""
    return np.stack([a[..., p] * b[..., q] + (p != q) * a[..., q] * b[..., p] for p, q in PAIRS], axis=-1)


def _products(
    patterns: Sequence[Floats], radial: Sequence[Floats], by_offset: Sequence[Floats] | None, by_r: Sequence[Floats], g: Floats
) -> Floats:
    """Sum of products of patterns (n, channels, 6) with radial coefficients (n, channels, functions).

    With `by_offset` (n, channels, 3, 6), the derivatives of the patterns, the derivatives of the sum by x, y and depth of the
    source follow: for each component three rows.
    """
    values = sum(q[..., :, None] * f[..., None, :] for q, f in zip(patterns, radial, strict=True))
    if by_offset is None:
        return np.asarray(values)
    moved = sum(q[..., None] * f[..., None, None, :] for q, f in zip(by_offset, radial, strict=True))
    spread = sum(q[..., :, None] * f[..., None, :] for q, f in zip(patterns, by_r, strict=True))
    by_source = -(moved + g[..., :, None, None] * np.asarray(spread)[:, :, None])
    by_component = np.moveaxis(by_source, 2, 3).reshape(*g.shape[:2], 18, -1)
    return np.concatenate([np.asarray(values), by_component], axis=2)
