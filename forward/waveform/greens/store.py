"""Tables of Green's functions in files: whole or not at all, and only of what they were made for."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from vip.errors import ConfigError, StoreError
from vip.files import whole
from vip.forward.waveform.elementary import Channel
from vip.forward.waveform.greens.materials import Materials
from vip.forward.waveform.greens.part import Clock, Loss, Part
from vip.forward.waveform.greens.plan import VERSION, Plan
from vip.protocols import Floats

FORMAT = "vip greens"
ARRAYS = ("coefficients", "basis", "slowness", "origin", "spacing")


class Content(NamedTuple):
    """What is in a file.

    Attributes
    ----------
    mark : str
        Hash of the earth and of all else that traces depend on, see `Plan.mark`.
    clock : Clock
    pulse : (k,) float
        Moment rate, 1/s.
    box : (3, 2) float
        Least and greatest x, y and depth of an event, m.
    frequency : float
        Highest frequency, Hz.
    materials : Materials
    parts : tuple of Part
    """

    mark: str
    clock: Clock
    pulse: Floats
    box: Floats
    frequency: float
    materials: Materials
    parts: tuple[Part, ...]

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Channels, in the order of the traces."""
        return tuple(part.channel for part in self.parts)


def content_of(plan: Plan, materials: Materials, parts: Sequence[Part]) -> Content:
    """Parts of a plan as the content of a file."""
    clock = Clock(plan.dt, plan.start, plan.samples, plan.per_knot)
    return Content(plan.mark, clock, plan.pulse, plan.box, plan.frequency, materials, tuple(parts))


def write(content: Content, file: Path) -> None:
    """Write a file.

    Raises
    ------
    VIPError
        If it cannot be written; what was there before stays.
    """
    made = io.BytesIO()  # a full disk is then an error of Python, with words for it
    with h5py.File(made, "w") as store:
        store.attrs.update(
            {"format": FORMAT, "version": VERSION, "mark": content.mark, "frequency": content.frequency}
            | content.clock._asdict()
        )
        store["pulse"], store["box"] = content.pulse, content.box
        for name, values in content.materials._asdict().items():
            store.create_dataset(f"materials/{name}", data=values, compression="gzip", shuffle=True)
        for i, part in enumerate(content.parts):
            group = store.create_group(f"parts/{i:05d}")
            group.attrs.update(part.channel._asdict() | {"mark": part.mark, "softening": part.softening})
            group.create_group("loss").attrs.update(part.loss._asdict())
            for name in ARRAYS:
                group[name] = part._asdict()[name]
        store.attrs["parts"] = len(content.parts)
    with whole(file) as part_of_file:
        part_of_file.write_bytes(made.getbuffer())


def read(file: Path) -> Content:
    """Read a file.

    Raises
    ------
    StoreError
        If there is none, it is truncated, or it is no table of this version.
    """
    with _opened(file) as store:
        groups = [store[f"parts/{i:05d}"] for i in range(int(store.attrs["parts"]))]
        clock = Clock(*(store.attrs[name].item() for name in Clock._fields))
        pulse, box = np.asarray(store["pulse"]), np.asarray(store["box"])
        mark, frequency = str(store.attrs["mark"]), float(store.attrs["frequency"])
        materials = Materials(*(np.asarray(store[f"materials/{name}"]) for name in Materials._fields))
        return Content(mark, clock, pulse, box, frequency, materials, tuple(map(_part, groups)))


def check_belongs(content: Content, plan: Plan, file: Path) -> None:
    """Raise `StoreError` if a table was made for another earth or band, other receivers, a larger loss or a smaller box."""
    if content.mark != plan.mark:
        raise StoreError(
            f"{file}: was made for another earth, band or solver: fill it anew (`vip greens --overwrite`), or name another file"
        )
    missing = [c for c in plan.channels if c not in content.channels]
    if missing:
        said = f"{missing[0].station} {missing[0].name} at {list(missing[0].position)}"
        raise StoreError(f"{file}: has no receiver {said}: fill another table and merge both")
    outside = (plan.box[:, 0] < content.box[:, 0] - 1e-6) | (plan.box[:, 1] > content.box[:, 1] + 1e-6)
    if outside.any():
        raise StoreError(f"{file}: box {content.box.tolist()}: does not hold the box {plan.box.tolist()}: fill it anew")


def merged(contents: Sequence[Content], files: Sequence[Path]) -> Content:
    """One table of the channels of several.

    Raises
    ------
    StoreError
        If they are of different earths, bands or boxes, or a channel is in two.
    """
    first, found = contents[0], list(contents[0].parts)
    for other, file in zip(contents[1:], files[1:], strict=True):
        if other.mark != first.mark:
            raise StoreError(f"{file}: was made for another earth, band or solver than {files[0]}: they cannot be merged")
        if not np.array_equal(other.box, first.box):
            raise StoreError(f"{file}: box {other.box.tolist()}: {files[0]} has {first.box.tolist()}: trim both to one box")
        names = {part.channel[:2] for part in found}
        for part in other.parts:
            if part.channel[:2] in names:
                name = f"{part.channel.station} {part.channel.name}"
                raise StoreError(f"{file}: {name}: is in another table too: trim one of them")
        found += other.parts
    return first._replace(parts=tuple(found))


def trimmed(content: Content, stations: Sequence[str] = (), box: Floats | None = None) -> Content:
    """A table of fewer stations, all if none is named, and of a smaller box.

    Raises
    ------
    ConfigError
        If a station is not in the table, or the box is not inside that of the table.
    """
    known = {part.channel.station for part in content.parts}
    for station in stations:
        if station not in known:
            raise ConfigError("--station", station, f"expected one of {', '.join(sorted(known))}")
    parts = [part for part in content.parts if not stations or part.channel.station in stations]
    if box is None:
        return content._replace(parts=tuple(parts))
    inside = (content.box[:, 0] <= box[:, 0]) & (box[:, 0] < box[:, 1]) & (box[:, 1] <= content.box[:, 1])
    if not inside.all():
        raise ConfigError("--box", box.tolist(), f"must grow, inside that of the table, {content.box.tolist()}")
    return content._replace(box=box, materials=content.materials.within(box), parts=tuple(_cut(part, box) for part in parts))


FEWEST = 4
"""Least number of nodes of a part along an axis."""


def _cut(part: Part, box: Floats) -> Part:
    """A part of fewer nodes, between which its seismograms are the same but for the rims, where times of P are splined anew."""
    n = np.array(part.slowness.shape)
    low = np.floor((box[:, 0] - part.origin) / part.spacing + 1e-9).astype(int) - 2
    high = np.ceil((box[:, 1] - part.origin) / part.spacing - 1e-9).astype(int) + 2
    low = np.maximum(np.minimum(low, n - FEWEST), 0)
    high = np.minimum(np.maximum(high, low + FEWEST - 1), n - 1)
    nodes = tuple(slice(a, b + 1) for a, b in zip(low, high, strict=True))
    splines = tuple(slice(a, b + 3) for a, b in zip(low, high, strict=True))
    return part._replace(
        coefficients=part.coefficients[splines], slowness=part.slowness[nodes], origin=part.origin + low * part.spacing
    )


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    """A table to read from; errors say what is wrong with the file in one line."""
    if not file.exists():
        raise StoreError(f"{file}: does not exist: make it with `vip greens CONFIG.toml -o {file}`")
    try:
        with h5py.File(file) as store:
            if store.attrs.get("format") != FORMAT:
                raise StoreError(f"{file}: is not a table of Green's functions: make one with `vip greens`")
            if store.attrs["version"] != VERSION:
                raise StoreError(f"{file}: has version {store.attrs['version']}, this release reads {VERSION}: fill it anew")
            yield store
    except (OSError, KeyError, ValueError, TypeError) as error:
        if isinstance(error, StoreError):
            raise
        raise StoreError(f"{file}: is damaged or truncated: fill it anew ({str(error).splitlines()[0]})") from error


def _part(group: Any) -> Part:
    attrs, loss = group.attrs, group["loss"].attrs
    station, name, kind = (str(attrs[key]) for key in ("station", "name", "kind"))
    position, direction = (tuple(map(float, attrs[key])) for key in ("position", "direction"))
    channel = Channel(station, name, kind, position, direction)  # type: ignore[arg-type]
    coefficients, basis, slowness, origin, spacing = (np.asarray(group[array]) for array in ARRAYS)
    lost = Loss(*(loss[key].item() for key in Loss._fields))
    return Part(channel, str(attrs["mark"]), coefficients, basis, slowness, origin, spacing, float(attrs["softening"]), lost)
