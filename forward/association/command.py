"""`vip associate PICKS --stations FILE --velocity FILE -o CATALOGUE`, a command that this plugin brings."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

import typer

from vip.cli.messages import messages_shown
from vip.cli.options import Overwrite, check_are_free
from vip.cli.plugged import load
from vip.cli.signals import StopRequest, stop_on_signal
from vip.errors import ConfigError
from vip.forward.association.record.border import AtBorder, at_border, warn_of
from vip.forward.association.record.carry import begun, carried, followed, read
from vip.forward.association.record.catalogue import Catalogue, files_of, write
from vip.forward.association.record.directory import Files, found_in
from vip.forward.association.record.gathering import parts
from vip.forward.association.record.parameters import Border, Parameters
from vip.forward.association.record.store import LearnedTimes
from vip.forward.association.record.stream import Stream
from vip.forward.earthquakes.formats.csv import growing, write_table
from vip.forward.earthquakes.frames import stations_from
from vip.forward.earthquakes.picks import Fault
from vip.plugins import COMMANDS


def associate(
    stations: Annotated[Path, typer.Option("--stations", help="StationXML, NonLinLoc GTSRCE, or CSV.")],
    velocity: Annotated[
        Path, typer.Option("--velocity", help="CSV: depth, vp, vs; NonLinLoc LAYER or .P.mod.hdr; or NetCDF in 3-D.")
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Catalogue: .csv (two tables), .xml (QuakeML), .pha (HypoDD), .obs (NonLinLoc)."),
    ],
    picks: Annotated[
        Path | None, typer.Argument(help="CSV, Parquet, QuakeML, REAL's folder: station, phase, time, sigma.")
    ] = None,
    follow: Annotated[
        Path | None, typer.Option("--follow", help="Folder in which files of picks (.csv, .parquet) appear, instead of PICKS.")
    ] = None,
    idle: Annotated[
        float | None, typer.Option("--idle", help="Seconds without a new file after which no pick is waited for.")
    ] = None,
    depth: Annotated[tuple[float, float], typer.Option("--depth", help="Depths of the region, km.")] = (0.0, 30.0),
    margin: Annotated[float | None, typer.Option("--margin", help="Region beyond stations, km \\[half their extent].")] = None,
    region: Annotated[
        tuple[float, float, float, float] | None,
        typer.Option("--region", help="South, north, west, east, degrees; or y from, to, x from, to, km; instead of --margin."),
    ] = None,
    projection: Annotated[
        str | None, typer.Option("--projection", help="PROJ string or EPSG code of the map \\[about the stations].")
    ] = None,
    sigma: Annotated[float | None, typer.Option("--sigma", help="Sigma of picks without one, s \\[learned].")] = None,
    speed_sigma: Annotated[
        float | None, typer.Option("--speed-sigma", help="Learn speeds, unknown by this share; writes NAME_velocity.csv.")
    ] = None,
    correction_sigma: Annotated[
        float | None, typer.Option("--correction-sigma", help="Learn corrections of so many s; writes NAME_stations.csv.")
    ] = None,
    detection: Annotated[
        float | None, typer.Option("--detection", help="Probability that a wave is picked within reach \\[learned].")
    ] = None,
    between: Annotated[
        Literal["constant", "linear"], typer.Option("--between", help="Velocity between the depths of layers.")
    ] = "constant",
    least: Annotated[int, typer.Option("--least", help="Least number of picks of an event.")] = 5,
    threads: Annotated[int | None, typer.Option("--threads", help="Threads \\[one a core].")] = None,
    locate: Annotated[
        bool, typer.Option("--locate", help="Hand the events to `vip locate`, which writes NAME_located.")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Find earthquakes in picks, and the picks of each; Ctrl-C saves, and the same command goes on."""
    outputs = files_of(output)
    asked = Parameters(
        depth,
        margin,
        _borders(region, stations),
        sigma,
        detection,
        least,
        between=between,
        projection=projection,
        speed_sigma=speed_sigma,
        correction_sigma=correction_sigma,
    )
    files = _files(picks, follow, idle, stations, velocity, asked)
    directory, located = output.with_suffix(".run"), output.with_name(f"{output.stem}_located{output.suffix}")
    events = output.with_name(f"{output.stem}_picks.csv")
    goes_on = not overwrite and found_in(directory) is not None
    learned = _tables(output, asked)
    if not overwrite and not goes_on:
        check_are_free(*outputs, *learned.values(), *([events, located, located.with_suffix(".run")] if locate else []))
    _check_can_write(output, stations)
    with (
        stop_on_signal() as stop,
        messages_shown(),
        begun(directory, files, asked, threads, overwrite, follow is not None) as stream,
    ):
        if follow is not None:
            for _ in followed(stream, follow, stop, idle):
                _write(stream, output)
            raise _saved(directory, stop)
        if stream.store.finished:
            print(f"{directory}: was finished before")
        elif not _found(stream, files.picks, stop):
            raise _saved(directory, stop)
        _write(stream, output)
        _write_times(stream, learned)
        print(f"pictures: vip report {directory}")
        if locate and stream.events:
            with growing(events) as add:
                for part in parts(stream):
                    add(part.picks_table())
    if locate and stream.events:
        inputs = {"stations": files.stations, "velocity": files.velocity} | learned | {"output": located}
        options = [text for name, path in inputs.items() for text in (f"--{name}", str(path))]
        _located([str(events), *options, "--depth", *map(str, depth), *(["--overwrite"] if overwrite else [])])


def _files(
    picks: Path | None, follow: Path | None, idle: float | None, stations: Path, velocity: Path, asked: Parameters
) -> Files:
    """The input files, with one of a file of picks and a folder to follow."""
    source = picks or follow
    if source is None or (picks is not None and follow is not None):
        raise ConfigError("PICKS", f"{picks}, --follow {follow}", "expected a file of picks, or a folder to follow")
    if follow is not None and not follow.is_dir():
        raise ConfigError("--follow", follow, "expected a folder")
    if follow is not None and asked.unknown_times:
        remedy = "cannot be learned from a folder: learn them from a file of picks first, and give the tables that it writes"
        raise ConfigError("--speed-sigma, --correction-sigma", "given with --follow", remedy)
    if idle is not None and (follow is None or not idle > 0):
        raise ConfigError("--idle", idle, "expected a positive number of seconds, and --follow")
    return Files(source, stations, velocity)


def _borders(region: tuple[float, float, float, float] | None, stations: Path) -> dict[Border, tuple[float, float]] | None:
    """Borders of a region by their names, which are those of the stations' coordinates."""
    if region is None:
        return None
    if stations_from(stations).geographic:
        return {"latitude": region[:2], "longitude": region[2:]}
    return {"y": region[:2], "x": region[2:]}


def _tables(output: Path, asked: Parameters) -> dict[str, Path]:
    """Files beside the catalogue for learned speeds and corrections, by the kind of input that they replace."""
    unknown = {"stations": asked.correction_sigma, "velocity": asked.speed_sigma}
    return {kind: output.with_name(f"{output.stem}_{kind}.csv") for kind, sigma in unknown.items() if sigma is not None}


def _found(stream: Stream, picks: Path, stop: StopRequest) -> bool:
    """Whether all windows were found before a request to stop."""
    if read(stream, picks, stop):
        with stop.at_any_moment():
            stream.begin()
    return not stop() and carried(stream, stop)


def _write_times(stream: Stream, files: Mapping[str, Path]) -> None:
    """Write the tables of speeds and of stations that were learned."""
    times = stream.store.times or LearnedTimes()
    for kind, table in {"stations": times.stations, "velocity": times.speed}.items():
        if table is not None:
            write_table(table, files[kind])


def _saved(directory: Path, stop: StopRequest) -> typer.Exit:
    print(f"{directory}: saved; the same command goes on")
    return typer.Exit(stop.exit_code)


def _write(stream: Stream, output: Path) -> None:
    """Write the catalogue so far, and print what is in it and the first of the rows that are no picks."""
    fault, near = list[Fault](), AtBorder()

    def noted() -> Iterator[Catalogue]:
        nonlocal near
        for part in parts(stream):
            fault.extend(part.faults[: not fault])
            near = near.and_(at_border(part._origins, stream.finder.site.box))
            yield part

    counts = write(noted(), output)
    warn_of(near)
    print(f"{', '.join(map(str, files_of(output)))}: {counts}" + (f" (the first: {fault[0]})" if fault else ""), flush=True)


def _check_can_write(output: Path, stations: Path) -> None:
    """Raise an error before the work if the catalogue cannot have the format that its name says."""
    needs_degrees = {".xml": "QuakeML", ".pha": "HypoDD"}
    if output.suffix == ".xml" and find_spec("obspy") is None:
        raise ConfigError("--output", output, "QuakeML needs obspy: pip install 'vip-inversion[seismology]'; or a name in .csv")
    if output.suffix in needs_degrees and not stations_from(stations).geographic:
        what = needs_degrees[output.suffix]
        raise ConfigError("--output", output, f"{what} needs degrees, and these stations are in km: choose a name in .csv")


def _located(arguments: list[str]) -> None:
    """Call `vip locate`, wherever it comes from; the same command goes on if it is stopped."""
    for entry in entry_points(group=COMMANDS, name="locate"):
        print(f"vip locate {shlex.join(arguments)}", flush=True)
        load(entry).main(args=arguments, prog_name="vip locate")
        return
    raise ConfigError("--locate", "locate", "there is no such command: install the plugin that brings it")
