"""The scheme of elastic3d.h in plain NumPy, float64: slow, written to be read and to hold the native kernel to.

Names are those of elastic3d.h. `Solver` takes and gives what the native one does; it differs in who advances the fields.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vip.kernels_c.door import Floats
from vip.kernels_c.elastic3d import solver
from vip.kernels_c.elastic3d.geometry import GHOST, HALO, STRESS_GHOST
from vip.kernels_c.elastic3d.points import PAIRS, Taps


class Solver(solver.Solver):
    """The native `Solver` on slow waves."""

    def make_waves(self, plan: solver.Plan) -> solver.Waves:
        """Slow waves."""
        return Waves(plan)


class Waves:
    """Fields on a grid, advanced by one time step after the other."""

    def __init__(self, plan: solver.Plan) -> None:
        self.plan = plan
        n0, n1, n2 = plan.nodes
        self._padded = np.zeros((17, n0 + 2 * HALO, n1 + 2 * HALO, n2 + 2 * HALO))
        self.fields: NDArray[np.floating] = self._padded[:, HALO:-HALO, HALO:-HALO, HALO:-HALO]
        for field, values in enumerate(plan.parameters(), 9):
            self.fields[field] = values
        self._memories = np.zeros((2, 3, 3, *plan.nodes))
        self.nbytes = self._padded.nbytes + self._memories.nbytes

    def rest(self) -> None:
        """Bring everything to rest."""
        self._padded[:9] = 0
        self._memories[:] = 0

    def advance(self, work: solver.Work, first: int, count: int, blocking: solver.Blocking) -> None:
        """Advance by `count` steps from step `first`; `blocking` changes nothing."""
        for n in range(first, first + count):
            self._velocities()
            self._inject(work.forces, work.force_amplitudes[n])
            self._ghosts_of_velocity()
            self._record(work.velocities, work.velocity_traces[n])
            self._stresses()
            self._inject(work.moments, work.moment_amplitudes[n])
            self._ghosts_of_stress()
            if n + 1 < work.n_steps:
                self._record(work.stresses, work.stress_traces[n + 1])

    def _velocities(self) -> None:
        fields, stress = self.fields, self._stress_number
        for c in range(3):
            change = sum(self._derivative(stress(a, c), a, after=a == c, memory=(0, a, c)) for a in range(3))
            fields[c] += fields[9 + c] * change

    def _stresses(self) -> None:
        fields = self.fields
        d = [[self._derivative(c, a, after=a != c, memory=(1, a, c)) for c in range(3)] for a in range(3)]
        lame, two_mu = fields[12], fields[13]
        common = lame * (d[0][0] + d[1][1] + d[2][2])
        for a in range(3):
            fields[3 + a] += common + two_mu * d[a][a]
        for pair, (a, b) in enumerate(PAIRS):
            fields[6 + pair] += fields[14 + pair] * (d[a][b] + d[b][a])

    @staticmethod
    def _stress_number(a: int, b: int) -> int:
        return 3 + a if a == b else 6 + PAIRS.index((min(a, b), max(a, b)))

    def _derivative(self, field: int, axis: int, after: bool, memory: tuple[int, int, int]) -> Floats:
        """First derivative half a spacing after the field's values, or before, with the memory of the axis's layers."""
        derivative = np.zeros(self.plan.nodes)
        for m, c in enumerate(self.plan.stencils[axis], 1):
            derivative += c * (self._shifted(field, m - 1 + after, axis) - self._shifted(field, after - m, axis))
        component = memory[2]
        half = int(after) if memory[0] == 0 else int(component != axis)
        shape = [1, 1, 1]
        shape[axis] = -1
        keep, share = (table[axis][half].reshape(shape) for table in (self.plan.keep, self.plan.share))
        psi = self._memories[memory]
        psi[:] = keep * psi + share * derivative
        stretched: Floats = np.asarray(derivative + psi)
        return stretched

    def _shifted(self, field: int, k: int, axis: int) -> Floats:
        """Values k nodes further along an axis."""
        where = [slice(HALO, HALO + n) for n in self.plan.nodes]
        where[axis] = slice(HALO + k, HALO + k + self.plan.nodes[axis])
        found: Floats = self._padded[field][tuple(where)]
        return found

    def _above(self, field: int) -> Floats:
        """Values above a free surface, the nearest first, with the others behind them: a view."""
        rows: Floats = self._padded[field, HALO:-HALO, HALO:-HALO]
        return rows

    def _ghosts_of_velocity(self) -> None:
        if self.plan.free_surface:
            for c in range(3):
                for g, weights in enumerate(GHOST):
                    above = self.fields[c][..., : len(weights)] @ np.array(weights)
                    even = (c == 2) & (self.fields[13][..., 0] == 0)
                    self._above(c)[..., HALO - 1 - g] = np.where(even, self.fields[c][..., g], above)

    def _ghosts_of_stress(self) -> None:
        if not self.plan.free_surface:
            return
        fields = self.fields
        ratio = fields[12][..., 0] / (fields[12] + fields[13])[..., 0]
        for a in (3, 4):
            fields[a][..., 0] -= ratio * fields[5][..., 0]
        fields[5][..., 0] = 0
        water = fields[13][..., 0] == 0
        for g, (one, two, near, far) in enumerate(STRESS_GHOST):
            solid = one * fields[5][..., 1] + two * fields[5][..., 2]
            self._above(5)[..., HALO - 1 - g] = np.where(water, -fields[5][..., 1 + g], solid)
            for shear in (7, 8):
                self._above(shear)[..., HALO - 1 - g] = near * fields[shear][..., 0] + far * fields[shear][..., 1]

    def _inject(self, taps: Taps, amplitudes: Floats) -> None:
        np.add.at(self.fields, (taps.field, *taps.node.T), taps.weight * amplitudes[taps.column])

    def _record(self, taps: Taps, traces: Floats) -> None:
        np.add.at(traces, taps.column, taps.weight * self.fields[(taps.field, *taps.node.T)])

    def strains(self, box: solver.Box, dt: float, threads: int) -> NDArray[np.float32]:
        """Strains (6, ...) on the nodes of a box: stresses over moduli, shear half way between its own nodes."""
        fields = self._padded
        solid = fields[13] > 0
        softness = np.divide(dt, fields[13], where=solid, out=np.zeros_like(fields[13]))
        mean = (fields[3] + fields[4] + fields[5]) / 3
        modulus = 3 * fields[12] + fields[13]
        volume = np.divide(dt * mean, modulus, where=modulus > 0, out=np.zeros_like(mean))
        found = [volume + softness * (fields[3 + a] - mean) for a in range(3)]
        for pair, (a, b) in enumerate(PAIRS):
            shear = np.divide(
                dt * fields[6 + pair], 2 * fields[14 + pair], where=fields[14 + pair] > 0, out=np.zeros_like(mean)
            )
            if self.plan.free_surface and b == 2:
                mirrored = (
                    self.fields[6 + pair] * dt / (2 * np.where(self.fields[14 + pair] > 0, self.fields[14 + pair], np.inf))
                )
                shear[HALO:-HALO, HALO:-HALO, :HALO] = -mirrored[..., HALO - 1 :: -1]
            for axis in (a, b):
                shear = _half_way(shear, box.half_way, axis)
            found.append(shear)
        nodes = [HALO + f + box.every * np.arange(n) for f, n in zip(box.first, box.size, strict=True)]
        return np.stack([strain[np.ix_(*nodes)] for strain in found]).astype(np.float32)


def _half_way(values: Floats, weights: Floats, axis: int) -> Floats:
    """Values on nodes of what is half a spacing after them; meaningless in the outermost nodes."""
    return np.asarray(sum(w * np.roll(values, HALO - i, axis) for i, w in enumerate(weights)))
