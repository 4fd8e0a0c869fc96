"""Seismograms of an elastic earth: the solver, and what goes into and out of one run of it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vip.kernels_c import door
from vip.kernels_c.door import Floats
from vip.kernels_c.elastic3d import _elastic3d, materials, points
from vip.kernels_c.elastic3d.geometry import AXES, CARRIED, ORDERS, Absorber, Grid, largest_time_step
from vip.kernels_c.elastic3d.points import CHANNELS, VELOCITIES, ForceSource, Lattices, MomentSource, Taps
from vip.kernels_c.staggered import windowed_sinc

STEPS = 32
"""About as many steps are done between two looks at whether to go on."""
STEPS_AND_ROWS = 2, 16
"""Time steps in a sweep and rows in its tiles: the fields of as many rows should stay in the second or third cache."""


class Plan(NamedTuple):
    """A grid as the kernel takes it, all axes in the kernel's order."""

    nodes: tuple[int, ...]
    low: tuple[int, ...]
    high: tuple[int, ...]
    half: int
    free_surface: bool
    stencils: tuple[Floats, ...]
    keep: tuple[Floats, ...]
    share: tuple[Floats, ...]
    parameters: Callable[[], Iterator[Floats]]


class Box(NamedTuple):
    """Nodes where strains are taken, in the kernel's order of axes; see `Solver.strain_at`."""

    first: tuple[int, ...]
    size: tuple[int, ...]
    every: int
    half_way: Floats


class Blocking(NamedTuple):
    """Order of the work, on which no result depends: time steps in one sweep, rows in a tile, threads."""

    steps: int
    rows: int
    threads: int


class Work(NamedTuple):
    """What a run reads and writes while it advances: taps, with a row of amplitudes or traces for each time step."""

    forces: Taps
    moments: Taps
    velocities: Taps
    stresses: Taps
    force_amplitudes: Floats
    moment_amplitudes: Floats
    velocity_traces: Floats
    stress_traces: Floats
    n_steps: int


class Waves(Protocol):
    """Fields that can be advanced: those of the native kernel, or of its slow twin."""

    fields: NDArray[np.floating]
    nbytes: int

    def rest(self) -> None:
        """Bring everything to rest."""

    def advance(self, work: Work, first: int, count: int, blocking: Blocking) -> None:
        """Advance by `count` steps from step `first`."""

    def strains(self, given: Box, dt: float, threads: int) -> NDArray[np.float32]:
        """Strains (6, ...) of the fields as they are."""


class StrainBox(NamedTuple):
    """Nodes of a box where strains are taken.

    Attributes
    ----------
    x, y, z : (n,) float
        Coordinates of the nodes, m.
    sample : int
        Number of time steps between two samples.
    """

    x: Floats
    y: Floats
    z: Floats
    sample: int
    first: tuple[int, int, int]
    every: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of nodes along x, y and z."""
        return len(self.x), len(self.y), len(self.z)


Consumer = Callable[[float, NDArray[np.float32]], None]


class Solver:
    """Elastic waves in one earth, by velocity and stress on a staggered grid, see elastic3d.h.

    Parameters
    ----------
    vp, vs : (x, y, z) array_like
        Velocities of P and S waves, m/s; vs is zero in water. z is depth. The first node is at x = y = z = 0.
    density : (x, y, z) array_like
        Density, kg/m^3.
    spacing : float or (x, y, z)
        Spacing of nodes, m.
    dt : float
        Time step, s.
    order : {4, 8}
        Order of accuracy in space; it is 2 in time.
    absorber : Absorber or int
        What is at the sides, or the width of layers on all of them.
    precision : {"float32", "float64"}
        Precision of the fields. Traces are float64 sums of them.
    threads : int
        Number of threads. Traces do not depend on it, to the last bit.

    Raises
    ------
    ValueError, TypeError
        If an argument cannot be used or the time step is unstable; the message names it, and what would be right.
    """

    def __init__(
        self,
        vp: ArrayLike,
        vs: ArrayLike,
        density: ArrayLike,
        spacing: float | Sequence[float],
        dt: float,
        order: int = 4,
        absorber: Absorber | int = 10,
        precision: str = "float32",
        threads: int = 1,
    ) -> None:
        earth = materials.checked(vp, vs, density)
        h = door.real("spacing", np.broadcast_to(spacing, 3) if np.ndim(spacing) == 0 else spacing, (3,), low=door.SMALLEST)
        if order not in ORDERS:
            raise ValueError(f"order: {order}: expected 4 or 8")
        dt = door.number("dt", dt, low=door.SMALLEST, high=door.LARGEST)
        threads = door.whole("threads", threads)
        self.precision = door.one_of("precision", precision, ("float32", "float64"))
        absorber = absorber if isinstance(absorber, Absorber) else Absorber(absorber)
        shape = earth.vp.shape
        self.grid = Grid((shape[0], shape[1], shape[2]), (h[0], h[1], h[2]), dt, order, absorber)
        fastest = float(earth.vp.max())
        limit = largest_time_step(self.grid.spacing, fastest, order)
        if dt > limit:
            raise ValueError(f"dt: {dt:g} s: unstable where vp is {fastest:g} m/s: needs dt <= {limit:.4g} s")
        self.blocking = self._blocking(threads)
        self.waves: Waves = self.make_waves(self._plan(earth))
        self.lattices = Lattices(self.grid, self.waves.fields)

    def make_waves(self, plan: Plan) -> Waves:
        """Waves that this solver advances."""
        waves: Waves = _elastic3d.Waves(plan, self.precision)
        return waves

    def _blocking(self, threads: int) -> Blocking:
        """As many tiles for each thread."""
        steps, most = STEPS_AND_ROWS
        rows = self.grid.nodes[self.grid.axes[1]]
        tiles = threads * math.ceil(rows / (most * threads))
        return Blocking(steps, math.ceil(rows / tiles), threads)

    def _plan(self, earth: materials.Earth) -> Plan:
        grid, axes = self.grid, self.grid.axes
        widths = grid.absorber.widths
        slowest = earth.vs[earth.vs > 0] if (earth.vs > 0).any() else earth.vp
        frequency = grid.absorber.frequency or float(slowest.min()) / (CARRIED * max(grid.spacing))
        layers = [grid.layer_memory(a, float(earth.vp.max()), frequency) for a in axes]

        def parameters() -> Iterator[Floats]:
            padded = (np.pad(values, widths, mode="edge").transpose(axes) for values in earth)
            yield from materials.on_the_cell(materials.Earth(*padded), grid.dt)

        return Plan(
            nodes=tuple(grid.nodes[a] for a in axes),
            low=tuple(widths[a][0] for a in axes),
            high=tuple(widths[a][1] for a in axes),
            half=grid.half,
            free_surface=grid.absorber.free_surface,
            stencils=tuple(grid.stencil(a) for a in axes),
            keep=tuple(keep for keep, _ in layers),
            share=tuple(share for _, share in layers),
            parameters=parameters,
        )

    @property
    def memory(self) -> int:
        """Number of bytes of the fields and of the layers' memories."""
        return self.waves.nbytes

    def times(self, what: str, n_steps: int) -> Floats:
        """Times (n_steps,), s, of the samples of a channel, or of a source's "moment" rate or "force".

        Stresses, and with them pressure and strain, are known at whole time steps, velocities half a step later. Moment rates
        act between stresses, forces between velocities.
        """
        later = what in VELOCITIES or what == "moment"
        times: Floats = self.grid.dt * (np.arange(n_steps, dtype=float) + 0.5 * later)
        return times

    def bulk_modulus(self, positions: ArrayLike) -> Floats:
        """Bulk modulus (n,), Pa, of the nodes nearest to positions (n, 3), m: the factor of the reciprocity of pressure."""
        found = door.points("positions", positions, self.grid.contains, axes=3, unit="m")
        nodes = np.rint(found / self.grid.spacing).astype(np.int64) + self.lattices.begin
        nodes = nodes[:, self.grid.axes]
        moduli = (self.lattices.read(field, nodes) / self.grid.dt for field in (points.LAMBDA, points.TWO_MU))
        lame, two_mu = moduli
        modulus: Floats = np.asarray(lame + two_mu / 3, float)
        return modulus

    def seconds_per_step(self) -> float:
        """Time that a step takes here and now, s, measured on a few."""
        steps = self.blocking.steps
        work = self.work([], np.zeros((0, 3)), [], 4 * steps)
        self.waves.rest()
        self.waves.advance(work, 0, steps, self.blocking)
        began = time.perf_counter()
        self.waves.advance(work, steps, 3 * steps, self.blocking)
        return (time.perf_counter() - began) / (3 * steps)

    def strain_at(self, box: ArrayLike, every: int = 1, sample: int = 1) -> StrainBox:
        """Nodes where `run` takes strains.

        Parameters
        ----------
        box : (3, 2) array_like
            Least and largest x, y and z, m.
        every : int
            Distance of the nodes, in nodes of the grid, along each axis.
        sample : int
            Number of time steps between two samples.

        Raises
        ------
        ValueError, TypeError
            If the box is not in the model, or holds no node.
        """
        ends = door.real("box", box, (3, 2), unit="m")
        door.points("box", ends.T, self.grid.contains, axes=3, unit="m")
        every, sample = door.whole("every", every), door.whole("sample", sample)
        nodes = []
        for a, name in enumerate(AXES):
            low, high = (
                math.ceil(ends[a, 0] / self.grid.spacing[a] - 1e-9),
                math.floor(ends[a, 1] / self.grid.spacing[a] + 1e-9),
            )
            if low > high:
                raise ValueError(f"box: {name} from {ends[a, 0]:g} to {ends[a, 1]:g} m: holds no node of the grid")
            nodes.append(np.arange(low, high + 1, every))
        x, y, z = (n * h for n, h in zip(nodes, self.grid.spacing, strict=True))
        first = (int(nodes[0][0]), int(nodes[1][0]), int(nodes[2][0]))
        return StrainBox(x, y, z, sample, first, every)

    def run(
        self,
        sources: Sequence[MomentSource | ForceSource],
        receivers: ArrayLike,
        n_steps: int,
        channels: Sequence[str] = ("pressure",),
        strains: StrainBox | None = None,
        consume: Consumer | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Floats:
        """Traces of sources that act together.

        Parameters
        ----------
        sources : sequence of MomentSource or ForceSource
        receivers : (n, 3) array_like
            Positions x, y, z, m; there may be none.
        n_steps : int
            Number of time steps.
        channels : sequence of str
            What each receiver records: "pressure", Pa, minus a third of the stress tensor's trace; "vx", "vy", "vz", m/s;
            "exx", "eyy", "ezz", "exy", "exz", "eyz", strain, of which water has the isotropic part alone.
        strains : StrainBox, optional
            Where to take strains, which go to `consume`.
        consume : callable, optional
            Called after every `sample` time steps with the time, s, and strains (6, x, y, z) float32 in the order of the
            channels. Fewer than two steps from one to the next make a run slower.
        progress : callable, optional
            Called in the course of the run with the number of steps done. An exception that it raises ends the run.

        Returns
        -------
        (receivers, channels, n_steps) float64
            Traces, at the times that `times` gives for each channel.

        Raises
        ------
        ValueError, TypeError
            If an argument cannot be used; the message names it.
        """
        n_steps = door.whole("n_steps", n_steps)
        if (strains is None) != (consume is None):
            raise ValueError("consume: strains need a function that takes them, and such a function strains")
        places = self._receivers(receivers)
        work = self.work(sources, places, self._channels(channels), n_steps)
        self.waves.rest()
        box = self._box(strains) if strains else None
        every = strains.sample if strains else STEPS
        for first in range(0, n_steps, every):
            count = min(every, n_steps - first)
            self.waves.advance(work, first, count, self.blocking)
            done = first + count
            if box and consume and done % every == 0 and done < n_steps:
                consume(done * self.grid.dt, self._outward(self.waves.strains(box, self.grid.dt, self.blocking.threads)))
            if progress:
                progress(done)
        return _traces(work, len(places), channels)

    def _outward(self, taken: NDArray[np.float32]) -> NDArray[np.float32]:
        """Strains with axes and components in the order x, y, z."""
        place = self.lattices.place
        components = [*place, *(3 + self.lattices.shear(a, b) for a, b in points.PAIRS)]
        return taken[components].transpose(0, *(1 + p for p in place))

    def _receivers(self, receivers: ArrayLike) -> Floats:
        if np.size(receivers) == 0:
            return np.zeros((0, 3))
        return door.points("receivers", receivers, self.grid.contains, axes=3, unit="m")

    def _channels(self, channels: Sequence[str]) -> list[str]:
        return [door.one_of("channels", channel, CHANNELS) for channel in channels]

    def work(
        self,
        sources: Sequence[MomentSource | ForceSource],
        receivers: Floats,
        channels: Sequence[str],
        n_steps: int,
    ) -> Work:
        """Sources and receivers as the kernel takes them."""
        planes, dt = self.grid.nodes[self.grid.axes[0]], self.grid.dt
        forces = [self._checked_force(i, s) for i, s in enumerate(sources) if isinstance(s, ForceSource)]
        moments = [self._checked_moment(i, s) for i, s in enumerate(sources) if isinstance(s, MomentSource)]
        if len(forces) + len(moments) < len(sources):
            raise TypeError("sources: expected MomentSource and ForceSource")
        records: dict[bool, list[Iterator[points.Entry]]] = {True: [], False: []}
        for position in receivers:
            for channel in channels:
                entries = points.receiver_entries(self.lattices, position, channel, dt)
                records[channel in VELOCITIES].append(entries)
        force_times, moment_times = self.times("force", n_steps), self.times("moment", n_steps)
        force = [points.amplitudes("history", s.history, force_times) for s in forces]
        moment = [points.amplitudes("rate", s.rate, moment_times) for s in moments]
        return Work(
            forces=points.gathered([points.force_entries(self.lattices, s, dt) for s in forces], planes),
            moments=points.gathered([points.moment_entries(self.lattices, s, dt) for s in moments], planes),
            velocities=points.gathered(records[True], planes),
            stresses=points.gathered(records[False], planes),
            force_amplitudes=np.stack(force, axis=1) if force else np.zeros((n_steps, 0)),
            moment_amplitudes=np.stack(moment, axis=1) if moment else np.zeros((n_steps, 0)),
            velocity_traces=np.zeros((n_steps, len(records[True]))),
            stress_traces=np.zeros((n_steps, len(records[False]))),
            n_steps=n_steps,
        )

    def _place(self, i: int, position: ArrayLike) -> Floats:
        where: Floats = door.points(f"sources[{i}].position", np.atleast_2d(position), self.grid.contains, axes=3, unit="m")[0]
        return where

    def _checked_force(self, i: int, source: ForceSource) -> ForceSource:
        position = self._place(i, source.position)
        return ForceSource(position, door.real(f"sources[{i}].force", source.force, (3,), unit="N"), source.history)

    def _checked_moment(self, i: int, source: MomentSource) -> MomentSource:
        position = self._place(i, source.position)
        moment = door.real(f"sources[{i}].moment", source.moment, (3, 3), unit="N m")
        if np.abs(moment - moment.T).max() > 1e-9 * np.abs(moment).max():
            a, b = np.unravel_index(np.abs(moment - moment.T).argmax(), (3, 3))
            pair = f"{AXES[a]}{AXES[b]} {moment[a, b]:g}, {AXES[b]}{AXES[a]} {moment[b, a]:g}"
            raise ValueError(f"sources[{i}].moment: {pair}: must be symmetric")
        return MomentSource(position, moment, source.rate)

    def _box(self, strains: StrainBox) -> Box:
        begin, axes = self.lattices.begin, self.grid.axes
        _, weights = windowed_sinc(0.5)
        return Box(
            first=tuple(begin[a] + strains.first[a] for a in axes),
            size=tuple(strains.shape[a] for a in axes),
            every=strains.every,
            half_way=np.ascontiguousarray(weights),
        )


def _traces(work: Work, receivers: int, channels: Sequence[str]) -> Floats:
    """Traces by receiver and channel, from those of velocities and of stresses."""
    of_velocity = np.array([channel in VELOCITIES for channel in channels], bool)
    traces = np.empty((receivers, len(channels), work.n_steps))
    for chosen, found in ((of_velocity, work.velocity_traces), (~of_velocity, work.stress_traces)):
        traces[:, chosen] = found.T.reshape(receivers, int(chosen.sum()), work.n_steps)
    return traces
