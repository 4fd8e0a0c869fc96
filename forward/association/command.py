"""`vip associate PICKS --stations FILE --velocity FILE -o CATALOGUE`, a command that this plugin brings."""

from __future__ import annotations

import shlex
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from vip.cli.messages import messages_shown
from vip.cli.options import Overwrite, check_are_free
from vip.cli.plugged import load
from vip.errors import ConfigError
from vip.forward.association.catalogue import Catalogue, files_of
from vip.forward.association.door import associate as associate_picks
from vip.forward.earthquakes.formats.csv import write_table
from vip.forward.earthquakes.frames import stations_from
from vip.plugins import COMMANDS


def associate(
    picks: Annotated[Path, typer.Argument(help="CSV, Parquet, QuakeML, REAL's folder: station, phase, time, sigma.")],
    stations: Annotated[Path, typer.Option("--stations", help="StationXML, NonLinLoc GTSRCE, or CSV.")],
    velocity: Annotated[
        Path, typer.Option("--velocity", help="CSV: depth, vp, vs; NonLinLoc LAYER or .P.mod.hdr; or NetCDF in 3-D.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Catalogue: .xml (QuakeML) or .csv (two tables).")],
    depth: Annotated[tuple[float, float], typer.Option("--depth", help="Depths of the region, km.")] = (0.0, 30.0),
    margin: Annotated[float | None, typer.Option("--margin", help="Region beyond stations, km [half their extent].")] = None,
    sigma: Annotated[float | None, typer.Option("--sigma", help="Sigma of picks without one, s [learned].")] = None,
    speed_sigma: Annotated[
        float | None, typer.Option("--speed-sigma", help="Learn speeds, unknown by this share; writes NAME_velocity.csv.")
    ] = None,
    correction_sigma: Annotated[
        float | None, typer.Option("--correction-sigma", help="Learn corrections of so many s; writes NAME_stations.csv.")
    ] = None,
    detection: Annotated[
        float | None, typer.Option("--detection", help="Probability that a wave is picked within reach [learned].")
    ] = None,
    least: Annotated[int, typer.Option("--least", help="Least number of picks of an event.")] = 5,
    threads: Annotated[int | None, typer.Option("--threads", help="Threads [one a core].")] = None,
    locate: Annotated[
        bool, typer.Option("--locate", help="Hand the events to `vip locate`, which writes NAME_located.")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Find earthquakes in picks, and the picks of each."""
    files, located = files_of(output), output.with_name(f"{output.stem}_located{output.suffix}")
    events = output.with_name(f"{output.stem}_picks.csv")
    unknown = {"--stations": correction_sigma, "--velocity": speed_sigma}
    learned = {name: output.with_name(f"{output.stem}_{name[2:]}.csv") for name in unknown if unknown[name] is not None}
    if not overwrite:
        check_are_free(*files, *learned.values(), *([events, located, located.with_suffix(".run")] if locate else []))
    _check_can_write(output, stations)
    with messages_shown():
        found = associate_picks(
            picks,
            stations,
            velocity,
            depth=depth,
            margin=margin,
            sigma=sigma,
            speed_sigma=speed_sigma,
            correction_sigma=correction_sigma,
            detection=detection,
            least=least,
            threads=threads,
        )
    found.write(output)
    for option, table in {"--stations": found.stations, "--velocity": found.speed}.items():
        if table is not None:
            write_table(table, learned[option])
    _report(found, files)
    if locate and len(found.events):
        write_table(found.picks_table(), events)
        paths = {"--stations": stations, "--velocity": velocity, **learned, "--output": located}
        options = [text for option, path in paths.items() for text in (option, str(path))]
        _located([str(events), *options, "--depth", *map(str, depth), *(["--overwrite"] if overwrite else [])])


def _check_can_write(output: Path, stations: Path) -> None:
    """Raise an error before the work if the catalogue cannot have the format that its name says."""
    if output.suffix != ".xml":
        return
    if find_spec("obspy") is None:
        raise ConfigError("--output", output, "QuakeML needs obspy: pip install 'vip-inversion[seismology]'; or a name in .csv")
    if not stations_from(stations).geographic:
        raise ConfigError("--output", output, "QuakeML needs degrees, and these stations are in km: choose a name in .csv")


def _report(found: Catalogue, files: list[Path]) -> None:
    """Print what was found, and the first of the rows that are no picks."""
    print(f"{', '.join(map(str, files))}: {found.summary()}" + (f" (the first: {found.faults[0]})" if found.faults else ""))


def _located(arguments: list[str]) -> None:
    """Call `vip locate`, wherever it comes from; the same command goes on if it is stopped."""
    for entry in entry_points(group=COMMANDS, name="locate"):
        print(f"vip locate {shlex.join(arguments)}", flush=True)
        load(entry).main(args=arguments, prog_name="vip locate")
        return
    raise ConfigError("--locate", "locate", "there is no such command: install the plugin that brings it")
