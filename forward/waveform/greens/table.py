"""A table of Green's functions that can be asked for seismograms, and how one is made."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from vip.errors import StoreError
from vip.forward.waveform.elementary import Elementary, Traces
from vip.forward.waveform.greens import store
from vip.forward.waveform.greens.fill import fill_channel
from vip.forward.waveform.greens.materials import materials_of
from vip.forward.waveform.greens.part import Part, Waveforms
from vip.forward.waveform.greens.plan import Plan
from vip.protocols import Floats

Told = Callable[[float], None]
"""Told how many channels are done; an exception that it raises ends the work."""


class Table:
    """Elementary seismograms between the nodes of a table, see `vip.forward.waveform.elementary.Greens`.

    Parameters
    ----------
    content : Content

    Attributes
    ----------
    box, channels, dt, start, samples, pulse
        As `Greens` says.
    """

    def __init__(self, content: store.Content) -> None:
        self.content = content
        self.box, self.channels, self.pulse = content.box, content.channels, content.pulse
        self.dt, self.start, self.samples = content.clock.dt, content.clock.start, content.clock.samples
        self._waveforms = [Waveforms(part, content.clock, content.materials) for part in content.parts]

    def elementary(self, positions: Floats, slopes: bool = False) -> Elementary:
        """Elementary seismograms (n, channels, 6, samples) of events at `positions` (n, 3), m, and their slopes if wanted.

        Raises
        ------
        ValueError
            If a position is outside the box.
        """
        positions = np.asarray(positions, float)
        outside = np.flatnonzero(~((positions >= self.box[:, 0]) & (positions <= self.box[:, 1])).all(axis=1))
        if len(outside):
            place = positions[outside[0]].tolist()
            raise ValueError(f"positions: row {outside[0]}: {place} m is outside the box of the table, {self.box.tolist()}")
        shape = len(positions), len(self.channels), 6, self.samples
        traces: Traces = np.empty(shape, np.float32)
        moved: Traces | None = np.empty((*shape, 3), np.float32) if slopes else None
        for c, waveforms in enumerate(self._waveforms):
            found, slope = waveforms(positions, slopes)
            traces[:, c] = found
            if moved is not None:
                moved[:, c] = slope
        return Elementary(traces, moved)


def open_table(file: Path | str, plan: Plan | None = None) -> Table:
    """Open a table, which must be that of a plan if one is given; it then has the channels of the plan alone.

    Raises
    ------
    StoreError
        If the file is no table, is truncated, or belongs to another earth, band or box.
    """
    file = Path(file)
    content = store.read(file)
    if plan is not None:
        store.check_belongs(content, plan, file)
        by_channel = {part.channel: part for part in content.parts}
        content = content._replace(parts=tuple(by_channel[channel] for channel in plan.channels))
    return Table(content)


def fill(plan: Plan, file: Path | str, threads: int = 1, tell: Told = lambda done: None) -> Table:
    """Fill a table, a channel after the other, and write it to a file.

    Channels that are done are kept beside the file until all are: a call that was killed goes on where it was.

    Parameters
    ----------
    plan : Plan
    file : Path
    threads : int
        Number of threads, on which no result depends.
    tell : callable, optional
        Told how many channels are done. An exception that it raises ends the work, which a later call goes on with.

    Raises
    ------
    VIPError
        If the disk is full.
    """
    file = Path(file)
    plan.check_different(plan.channels)
    folder = file.with_name(f"{file.name}.parts")
    folder.mkdir(parents=True, exist_ok=True)
    names = [folder / f"{plan.mark_of(channel)}.h5" for channel in plan.channels]
    parts, solver, materials = [], None, materials_of(plan)
    for i, (channel, name) in enumerate(zip(plan.channels, names, strict=True)):
        part = _finished(name)
        if part is None:
            solver = solver or plan.solver(threads)
            part = fill_channel(plan, channel, solver, materials, folder, partial(_tell_share, tell, i))
            store.write(store.content_of(plan, materials, [part]), name)
        parts.append(part)
        tell(i + 1.0)
    content = store.content_of(plan, materials, parts)
    store.write(content, file)
    for name in names:
        name.unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()
    return Table(content)


def _tell_share(tell: Told, before: int, share: float) -> None:
    tell(before + share)


def _finished(name: Path) -> Part | None:
    """The part of a channel that an earlier call finished."""
    try:
        return store.read(name).parts[0]
    except StoreError:
        return None
