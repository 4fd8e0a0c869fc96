"""From the seismograms of many nodes to a part of a table, and how much of them it loses."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import spline_filter1d

from vip.forward.waveform.elementary import Channel
from vip.forward.waveform.greens.materials import Materials, smooth
from vip.forward.waveform.greens.part import LEAD, ArrivalTimes, Clock, Loss, Part, Waveforms
from vip.forward.waveform.greens.plan import Plan
from vip.kernels_c.seismograms.reference import splines
from vip.kernels_c.timetables.splines import coefficients
from vip.protocols import Floats
from vip.rng import Purpose, stream

TOGETHER = 1024
"""Nodes whose traces are worked on at once."""
FOR_BASIS = 4096
"""Nodes, about, that decide which functions of time are kept."""
CHECKED = 200
"""Places between nodes where the loss is measured."""
OF_RANK = 0.25
"""Part of the tolerance that the rank may take: the rest is for interpolation."""
TALLEST = 2.0**14
"""Largest coefficient: float16 goes to 2^16, and is precise down to 2^-14."""


class Recorded(NamedTuple):
    """Seismograms of all nodes as the solver gave them.

    Attributes
    ----------
    traces : (knots, 6, nodes) float32
        Seismograms for each component of `TENSOR`, for a moment of 1 N m; nodes go along depth first.
    slowness : (x, y, z) float64
        Time of P over the distance from the receiver, s/km, on the nodes.
    """

    traces: NDArray[np.float32]
    slowness: Floats


def compressed(recorded: Recorded, plan: Plan, channel: Channel, materials: Materials) -> Part:
    """The smallest part of a table that loses no more than the tolerance, or else the most faithful one."""
    kept = _Projected(recorded, plan, channel, materials)
    for factor in plan.factors:
        part = kept.part(factor)
        if factor == 1:
            break
        loss = kept.measured(part, factor)
        part = part._replace(loss=loss)
        if loss.mean <= plan.tolerance:
            return part
    bound = (
        kept.measured(kept.part(2), 2)._replace(bound=True)
        if 2 in plan.factors
        else Loss(kept.lost, math.nan, math.nan, math.nan, True)
    )
    return part._replace(loss=bound)


def clock_of(plan: Plan) -> Clock:
    """Samples and knots of a plan."""
    return Clock(plan.dt, plan.start, plan.samples, plan.per_knot)


class _Projected:
    """Waveforms of all nodes as coefficients of the functions of time that make up all but a part of them."""

    def __init__(self, recorded: Recorded, plan: Plan, channel: Channel, materials: Materials) -> None:
        self.recorded, self.plan, self.channel, self.clock = recorded, plan, channel, clock_of(plan)
        self.materials = materials
        self.softening = float(plan.earth.spacing.max())
        self.fade = _fade(plan, len(recorded.traces))
        self.nodes = np.stack(np.meshgrid(*plan.axes(), indexing="ij"), axis=-1).reshape(-1, 3)
        origin, spacing = self._grid(1)
        times = ArrivalTimes(recorded.slowness, origin, spacing, np.array(channel.position), self.softening)
        self.time, self.gain = times(self.nodes)[0], times.gain(self.nodes)[0]
        self.factors = materials.at(self.nodes)[0]
        self.knots = len(recorded.traces) + LEAD + 2 - math.floor(self.time.min() / plan.knot)
        self.basis, self.lost = self._functions()
        self.values = np.empty((len(self.nodes), 6, len(self.basis)), np.float32)
        for chosen in self._chunks(np.arange(len(self.nodes))):
            self.values[chosen] = smooth(self.waveforms(chosen) @ self.basis.T, self.factors[chosen])

    def waveforms(self, chosen: NDArray[np.int64]) -> Floats:
        """Waveforms (n, 6, knots) of nodes: traces that begin at P, without geometrical spreading."""
        raw = np.asarray(self.recorded.traces[:, :, chosen], float) * self.fade[:, None, None]
        filtered = spline_filter1d(raw, 3, axis=0, mode="mirror")
        begin = self.time[chosen] / self.plan.knot - LEAD
        whole = np.floor(begin).astype(int)
        weight = splines(begin - whole)[0]
        found = np.zeros((self.knots, 6, len(chosen)))
        for m in range(4):
            at = whole + m - 1 + np.arange(self.knots)[:, None]
            inside = (at >= 0) & (at < len(raw))
            taken = np.take_along_axis(filtered, np.clip(at, 0, len(raw) - 1)[:, None], axis=0)
            found += np.where(inside, weight[:, m], 0)[:, None] * taken
        return np.moveaxis(found / self.gain[chosen], -1, 0).swapaxes(1, 2)

    def _functions(self) -> tuple[Floats, float]:
        """Orthonormal functions of time (rank, knots), and the part of the energy that they lose; all nodes count the same."""
        total = np.zeros((self.knots, self.knots))
        for chosen in self._chunks(np.arange(0, len(self.nodes), max(1, len(self.nodes) // FOR_BASIS))):
            for waves in _tensors_and_explosions(self.waveforms(chosen)):
                energy = (waves**2).sum(axis=(1, 2))
                waves = (waves / np.sqrt(np.where(energy > 0, energy, 1))[:, None, None]).reshape(-1, self.knots)
                total += waves.T @ waves
        sizes, functions = np.linalg.eigh(total)
        sizes, functions = np.maximum(sizes[::-1], 0), functions[:, ::-1]
        left = 1 - np.cumsum(sizes) / sizes.sum()
        rank = int(np.argmax(left <= OF_RANK * self.plan.tolerance)) + 1
        return functions[:, :rank].T, float(max(left[rank - 1], 0))

    def part(self, factor: int) -> Part:
        """The part of a table that keeps each of `factor` nodes along each axis."""
        n = [cells + 1 for _, cells in self.plan.nodes]
        thin = np.s_[::factor, ::factor, ::factor]
        values = np.moveaxis(self.values.reshape(*n, 6, -1)[thin], (3, 4), (0, 1))
        rank = values.shape[1]
        in_space = coefficients(values.reshape(-1, *values.shape[2:]).astype(float), even=False)[:, :-1, :-1, :-1]
        in_space = np.moveaxis(in_space.reshape(6, rank, *in_space.shape[1:]), (0, 1), (3, 4))
        largest = np.abs(in_space).max(axis=(0, 1, 2, 3))
        unit = np.where(largest > 0, largest, 1) / TALLEST
        in_time = spline_filter1d(self.basis, 3, axis=1, mode="mirror") * unit[:, None]
        return Part(
            self.channel,
            self.plan.mark_of(self.channel),
            (in_space / unit).astype(np.float16),
            in_time.astype(np.float32),
            np.ascontiguousarray(self.recorded.slowness[thin]),
            *self._grid(factor),
            self.softening,
            Loss(self.lost, 0.0, 0.0, 0.0, False),
        )

    def measured(self, part: Part, factor: int) -> Loss:
        """Loss at nodes of the solver that the part does not keep."""
        n = [cells + 1 for _, cells in self.plan.nodes]
        place = np.stack(np.unravel_index(np.arange(len(self.nodes)), n), axis=1)
        inside = ((self.nodes >= self.plan.box[:, 0]) & (self.nodes <= self.plan.box[:, 1])).all(axis=1)
        left_out = np.flatnonzero((place % factor != 0).any(axis=1) & inside)
        chosen = np.sort(stream(0, 0, Purpose.CHECK).choice(left_out, min(CHECKED, len(left_out)), replace=False))
        found, _ = Waveforms(part, self.clock, self.materials)(self.nodes[chosen], slopes=False)
        parts = []
        for ours, truth in zip(*map(_tensors_and_explosions, (found.astype(float), self._traces(chosen))), strict=True):
            energy = (truth**2).sum(axis=(1, 2))
            parts.append(((ours - truth) ** 2).sum(axis=(1, 2)) / np.where(energy > 0, energy, 1))
        lost = np.concatenate(parts)
        return Loss(self.lost, float(lost.mean()), float(np.median(lost)), float(np.quantile(lost, 0.95)), False)

    def _traces(self, chosen: NDArray[np.int64]) -> Floats:
        """Traces (n, 6, samples) of nodes, as the solver gave them."""
        raw = np.asarray(self.recorded.traces[:, :, chosen], float)
        filtered = spline_filter1d(raw, 3, axis=0, mode="mirror")
        time = np.arange(self.clock.samples) / self.clock.per_knot
        knot = np.floor(time).astype(int)
        weight = splines(time - knot)[0]
        near = np.abs(knot[:, None] + np.arange(4) - 1)
        found: Floats = np.moveaxis((filtered[near] * weight[..., None, None]).sum(axis=1), -1, 0).swapaxes(1, 2)
        return found

    def _grid(self, factor: int) -> tuple[Floats, Floats]:
        axes = self.plan.axes(factor)
        return np.array([axis[0] for axis in axes]), self.plan.every * factor * self.plan.earth.spacing

    def _chunks(self, chosen: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        yield from (chosen[i : i + TOGETHER] for i in range(0, len(chosen), TOGETHER))


def _tensors_and_explosions(traces: Floats) -> tuple[Floats, Floats]:
    """Traces (n, 6, times) of the components, and (n, 1, times) of explosions.

    Those of an explosion count as much as all components together: they would hardly be seen among waves of S.
    """
    return traces, traces[:, :3].sum(axis=1, keepdims=True)


def _fade(plan: Plan, knots: int) -> Floats:
    """Factors (knots,) that bring recorded traces to zero behind all that is asked of them."""
    length = max(2, round(1 / (plan.frequency * plan.knot)))
    fade = np.ones(knots)
    fade[-length:] = np.cos(np.linspace(0, np.pi / 2, length)) ** 2
    return fade
