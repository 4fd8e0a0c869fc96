"""Making all that a run needs from settings: seismograms, noise, elementary seismograms; and checks that they agree."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.fft import irfft, rfft

from vip.errors import ConfigError, StoreError
from vip.forward.waveform.alignment import Alignment, response
from vip.forward.waveform.elementary import Channel, Greens
from vip.forward.waveform.fullspace import REACH, FullSpace
from vip.forward.waveform.greens import Plan, Table, open_table
from vip.forward.waveform.greens.inputs import plan_for
from vip.forward.waveform.likelihood import Gaussian, Likelihood, Marginal, StudentT
from vip.forward.waveform.noise import Process, Whitener, estimated, white
from vip.forward.waveform.record import Record
from vip.forward.waveform.record.arrays import ARRAYS, read_arrays
from vip.forward.waveform.record.record import usable
from vip.forward.waveform.settings import HomogeneousSettings, NoiseSettings, TableSettings, WaveformSettings
from vip.protocols import Floats

ONSET = 0.01
"""Share of its peak at which a trace begins."""
CLOSE = 1e-6
"""Largest relative difference of two sampling intervals that are the same."""
SAME_PLACE, SAME_DIRECTION = 1.0, 0.02
"""Largest differences of a channel's place (m) and direction (radians) between a record and a table."""
PLACE = ("x", "y", "depth")


class Prepared(NamedTuple):
    """All that `prepare` makes from settings."""

    record: Record
    greens: Greens
    processes: list[Process]
    alignment: Alignment
    likelihood: Likelihood
    inputs: list[Path]


def prepare(s: WaveformSettings, base_dir: Path) -> Prepared:
    """Read or make all that a run needs.

    Raises
    ------
    ConfigError
        If there is a fault; the message names the key or file, what was found and what would be right.
    """
    files = _files(s, base_dir)
    record, noise = _records(s, base_dir)
    processes = _processes(s.noise, noise, record)
    earliest, latest = _shifts(s)
    greens = open_greens(s.greens, record, _box(s), (earliest, latest), base_dir)
    _check_arrivals(greens, record, (earliest, latest), s.noise.window)
    longest = s.source.duration[1] if isinstance(s.source.duration, tuple) else s.source.duration
    n, band = record.traces.shape[1], s.time.band
    alignment = Alignment(record.dt, greens.start, greens.samples, record.start, n, earliest, latest, longest, band)
    likelihood = _likelihood(s, record, Whitener(processes, n))
    truth = [base_dir / s.truth] if s.truth else []
    table = [base_dir / s.greens.file] if isinstance(s.greens, TableSettings) else []
    return Prepared(record, greens, processes, alignment, likelihood, [*files, base_dir / s.channels, *table, *truth])


def table_plan(s: WaveformSettings, base_dir: Path) -> tuple[Plan, Path]:
    """Plan of the table of Green's functions that a configuration names, for its data, and the file of the table.

    Raises
    ------
    ConfigError
        If the configuration names none or does not say what it is filled from; or if that cannot be.
    """
    if not isinstance(s.greens, TableSettings) or s.greens.fill is None:
        raise ConfigError("greens.fill", "is missing", 'give greens.kind = "table" and a table [forward.greens.fill]')
    record, _ = _records(s, base_dir)
    plan = plan_for(s.greens.fill, base_dir, record.channels, _box(s), record.dt, record.end - _shifts(s)[0])
    return plan, base_dir / s.greens.file


def _files(s: WaveformSettings, base_dir: Path) -> list[Path]:
    return [base_dir / file for file in (s.data if isinstance(s.data, list) else [s.data])]


def _box(s: WaveformSettings) -> Floats:
    return np.array([s.box.x, s.box.y, s.box.depth])


def _records(s: WaveformSettings, base_dir: Path) -> tuple[Record, Record]:
    """The data, and the record that has the noise."""
    files = _files(s, base_dir)
    record = usable(_read(s, files, base_dir), files[0])
    if s.time.band is not None:
        record = record._replace(traces=filtered(record.traces, record.dt, s.time.band))
    noise = record if s.noise.window is None else record.between(s.noise.window, "noise.window")
    return record if s.time.window is None else record.between(s.time.window, "time.window"), noise


def open_greens(
    s: HomogeneousSettings | TableSettings, record: Record, box: Floats, shifts: tuple[float, float], base_dir: Path
) -> Greens:
    """Elementary seismograms for the channels of a record, long enough for all shifts.

    Raises
    ------
    ConfigError
        If they do not fit the record or the box.
    """
    if isinstance(s, TableSettings):
        return _of_table(s, record, box, base_dir)
    places = np.array([channel.position for channel in record.channels])
    farthest = float(np.linalg.norm(np.abs(places[:, :, None] - box).max(axis=2), axis=1).max()) / s.vp
    start = min(max(record.start - shifts[1], -REACH * s.width), 0.0)
    end = max(record.end - shifts[0], farthest + REACH * s.width)  # P of all places is there, whatever the record holds
    samples = math.ceil((end - start) / record.dt) + 2
    return FullSpace(s.vp, s.vs, s.density, record.channels, box, s.width, record.dt, samples, start, s.precision)


def _of_table(s: TableSettings, record: Record, box: Floats, base_dir: Path) -> Table:
    """A table for the channels of a record, in their order, and events in a box."""
    file = base_dir / s.file
    if not file.is_file():
        how = "`vip greens` with this configuration makes it" if s.fill else "`vip greens CONFIG.toml -o FILE` makes one"
        raise ConfigError("greens.file", file, f"there is no such file; {how}")
    try:
        content = open_table(file).content
    except StoreError as error:
        raise ConfigError("greens.file", file, str(error)) from error
    if abs(content.clock.dt - record.dt) > CLOSE * record.dt:
        raise ConfigError("dt", content.clock.dt, f"the data have {record.dt:g} s: fill a table with their interval", file)
    outside = np.argwhere((box < content.box[:, :1]) | (box > content.box[:, 1:]))
    if len(outside):
        axis, (low, high) = PLACE[outside[0, 0]], content.box[outside[0, 0]]
        raise ConfigError(f"box.{axis}", box[outside[0, 0]].tolist(), f"the table has {low:g} to {high:g} m", file)
    known = {(part.channel.station, part.channel.name): part for part in content.parts}
    parts = []
    for channel in record.channels:
        part = known.get((channel.station, channel.name))
        if part is None:
            raise ConfigError("channels", named(channel), "is not in the table: fill one with it, or leave it out", file)
        _check_same(channel, part.channel, file)
        parts.append(part)
    return Table(content._replace(parts=tuple(parts), box=box))


def _check_same(channel: Channel, of_table: Channel, file: Path) -> None:
    """Check that a channel of a record is that of a table."""
    if channel.kind != of_table.kind:
        raise ConfigError(named(channel), channel.kind, f"the table has {of_table.kind}", file)
    apart = math.dist(channel.position, of_table.position)
    if apart > SAME_PLACE:
        place = tuple(round(x, 1) for x in of_table.position)
        raise ConfigError(named(channel), channel.position, f"the table has it at {place} m, {apart:.3g} m away", file)
    turned = math.dist(channel.direction, of_table.direction)
    if turned > SAME_DIRECTION:
        remedy = f"the table has {tuple(round(x, 3) for x in of_table.direction)}: azimuth or dip differ"
        raise ConfigError(named(channel), channel.direction, remedy, file)


def filtered(traces: Floats, dt: float, band: tuple[float, float]) -> Floats:
    """Traces (channels, samples), less their means, filtered without a phase."""
    n = traces.shape[1]
    spectra = rfft(traces - traces.mean(axis=1, keepdims=True), 2 * n)
    made: Floats = irfft(spectra * response(np.asarray(np.fft.rfftfreq(2 * n, dt), float), band), 2 * n)[:, :n]
    return made


def arrivals(greens: Greens) -> tuple[Floats, Floats]:
    """Earliest and latest onsets (channels,), s after the origin time, of the corners and the middle of the box."""
    low, high = greens.box.T
    corners = np.stack(np.meshgrid(*zip(low, high, strict=True), indexing="ij"), axis=-1).reshape(-1, 3)
    traces = greens.elementary(np.concatenate([corners, [(low + high) / 2]])).traces
    size = np.abs(traces).max(axis=2)
    onset = greens.start + greens.dt * (size > ONSET * size.max(axis=2, keepdims=True)).argmax(axis=2)
    return onset.min(axis=0), onset.max(axis=0)


def _read(s: WaveformSettings, files: Sequence[Path], base_dir: Path) -> Record:
    if len(files) == 1 and files[0].suffix in ARRAYS:
        return read_arrays(files[0], base_dir / s.channels, s.time.dt, s.time.start)
    from vip.forward.waveform.record.streams import read_streams

    return read_streams(files, base_dir / s.channels, s.origin, s.sea_level, s.time.reference, s.time.band)


def _shifts(s: WaveformSettings) -> tuple[float, float]:
    """Least and greatest shift of a trace, s: origin time and time terms together."""
    low, high = s.origin_time if isinstance(s.origin_time, tuple) else (s.origin_time, s.origin_time)
    term = s.station_terms.time or 0.0
    return low - term, high + term


def _processes(s: NoiseSettings, noise: Record, record: Record) -> list[Process]:
    if s.sigma is not None:
        return [white(s.sigma)] * len(record.channels)
    if s.relative is not None:
        kinds = np.array([channel.kind for channel in record.channels])
        peak = {kind: np.abs(record.traces[kinds == kind]).max() for kind in set(kinds.tolist())}
        return [white(s.relative * peak[kind]) for kind in kinds.tolist()]
    most = {"most": 0} if not s.coloured else {}
    return [estimated(trace, **most) for trace in noise.traces]


def _likelihood(s: WaveformSettings, record: Record, whitener: Whitener) -> Likelihood:
    precision = s.greens.precision if isinstance(s.greens, HomogeneousSettings) else "float32"
    observed = record.traces.astype(precision)
    if s.source.integrates:
        return Marginal(observed, whitener)
    if s.likelihood == "student-t":
        return StudentT(observed, whitener, s.degrees_of_freedom)
    return Gaussian(observed, whitener)


def _check_arrivals(greens: Greens, record: Record, shifts: tuple[float, float], noise: tuple[float, float] | None) -> None:
    """Check that no channel ends before P can arrive, or begins when it has for sure, and that P is not in the noise."""
    earliest, latest = arrivals(greens)
    for channel, first, last in zip(record.channels, earliest + shifts[0], latest + shifts[1], strict=True):
        where, expected = named(channel), f"P arrives there between {first:.4g} and {last:.4g} s"
        if record.end < first:
            raise ConfigError(where, f"ends at {record.end:.4g} s", f"{expected}: record longer, or check times and box")
        if record.start > last:
            raise ConfigError(where, f"begins at {record.start:.4g} s", f"{expected}: begin earlier, or check times and box")
        if noise is not None and noise[1] > first:
            raise ConfigError("noise.window", list(noise), f"{where}: {expected}: end it before that, or narrow origin_time")


def named(channel: Channel) -> str:
    """Station and channel, as text for a person to read."""
    return f"station {channel.station}, channel {channel.name}"
