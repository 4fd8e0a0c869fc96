"""`vip greens CONFIG.toml -o TABLE`, and `vip greens info | trim | merge`: tables of Green's functions."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from pydantic import ValidationError
from typer.core import TyperGroup

from vip.cli.messages import messages_shown
from vip.cli.options import ConfigFile, Overwrite, check_are_free
from vip.cli.signals import StopRequest, stop_on_signal
from vip.config import explain
from vip.config.toml import read_toml
from vip.errors import ConfigError
from vip.forward.waveform.greens import GreensSettings, Plan, fill, open_table, store
from vip.forward.waveform.greens.inputs import plan_from
from vip.forward.waveform.settings import WaveformSettings
from vip.forward.waveform.setup import table_plan
from vip.progress import Waiting

SECTION = "greens"
TableFile = Annotated[Path, typer.Argument(metavar="TABLE.h5", help="Table that `vip greens` made.")]
Made = Annotated[Path, typer.Option("--output", "-o", help="Table to write, HDF5.")]


class _FillFirst(TyperGroup):
    """Commands of which the first needs no name."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that arguments begin with, else the first."""
        return super().resolve_command(ctx, args if args and args[0] in self.commands else ["fill", *args])


greens = typer.Typer(
    cls=_FillFirst,
    help="Make tables of Green's functions: `vip greens CONFIG.toml -o TABLE.h5` is `vip greens fill`.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@greens.command("fill")
def fill_command(
    config: ConfigFile,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Table to write, HDF5; else the one that [forward.greens] names."),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the solver.")] = 1,
    overwrite: Overwrite = False,
) -> None:
    """Fill a table, one simulation for each channel; Ctrl-C keeps those that are done, and the same command goes on."""
    plan, named = _plan(config)
    output = output or named
    if output is None:
        raise ConfigError("--output", "is missing", "give the table to write")
    if not overwrite:
        check_are_free(output)
    print(_foretold(plan))
    with stop_on_signal() as stop, messages_shown():
        try:
            fill(plan, output, threads, _told(plan, stop))
        except _Stopped:
            print(f"{output}.parts: saved; the same command goes on")
            raise typer.Exit(stop.exit_code) from None
    _describe(output)


@greens.command()
def info(table: TableFile) -> None:
    """Say what a table holds, and how much of the traces' energy it loses."""
    _describe(table)


@greens.command()
def trim(
    table: TableFile,
    output: Made,
    station: Annotated[list[str] | None, typer.Option("--station", help="Station to keep; may be given often.")] = None,
    box: Annotated[
        tuple[float, float, float, float, float, float] | None,
        typer.Option("--box", help="Box to keep, m: x from, to, y from, to, depth from, to."),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Keep some stations of a table, or a smaller box."""
    if not overwrite:
        check_are_free(output)
    kept = None if box is None else np.array(box).reshape(3, 2)
    store.write(store.trimmed(store.read(table), station or (), kept), output)
    _describe(output)


@greens.command()
def merge(
    tables: Annotated[list[Path], typer.Argument(metavar="TABLE.h5...", help="Tables of one earth, band and box.")],
    output: Made,
    overwrite: Overwrite = False,
) -> None:
    """Put tables of different receivers together."""
    if not overwrite:
        check_are_free(output)
    store.write(store.merged([store.read(table) for table in tables], tables), output)
    _describe(output)


class _Stopped(BaseException):
    """A signal asks to stop."""


def _told(plan: Plan, stop: StopRequest) -> Callable[[float], None]:
    """What is called as the work goes on: shows how far it is, and ends it where a signal asks for that."""
    waiting = Waiting("greens", 100 * len(plan.channels), "hundredths of a channel")

    def tell(done: float) -> None:
        if stop():
            raise _Stopped
        waiting(round(100 * done))

    return tell


def _plan(config: Path) -> tuple[Plan, Path | None]:
    """The plan of a configuration, and the table that it names: of a run of `waveform`, or of a table ``[greens]`` alone."""
    data = read_toml(config)
    section = next((name for name in (SECTION, "forward") if isinstance(data.get(name), dict)), None)
    if section is None:
        raise ConfigError(SECTION, "is missing", "expected a table [greens], or [forward] of plugin waveform", config)
    settings = GreensSettings if section == SECTION else WaveformSettings
    table = {key: value for key, value in data[section].items() if key != "plugin"}
    try:
        if section == SECTION:
            return plan_from(GreensSettings.model_validate(table), config.parent), None
        return table_plan(WaveformSettings.model_validate(table), config.parent)
    except ValidationError as error:
        raise explain(error, settings, config, section) from error
    except ConfigError as error:
        if error.file is None:
            raise ConfigError(f"{section}.{error.key}", error.value, error.remedy, config) from error
        raise


def _foretold(plan: Plan) -> str:
    """What a plan takes."""
    nodes = " x ".join(str(n) for n in plan.earth.vp.shape)
    return (
        f"{len(plan.channels)} channels, {nodes} nodes, {plan.steps} time steps of "
        f"{plan.knot / plan.steps_per_knot * 1e3:.3g} ms; {plan.scratch_bytes / 1e9:.2g} GB of disk for strains"
    )


def _describe(file: Path) -> None:
    """Print what is in a table."""
    table = open_table(file)
    content = table.content
    box = ", ".join(f"{axis} {low:g} to {high:g}" for axis, (low, high) in zip("xyz", table.box, strict=True))
    print(f"{file}: {len(table.channels)} channels, {file.stat().st_size / 1e6:.2f} MB; events in {box} m")
    print(
        f"{table.samples} samples of {table.dt:g} s from {table.start:g} s; up to {content.frequency:g} Hz; mark {content.mark}"
    )
    for part in content.parts:
        channel, loss = part.channel, part.loss
        step, rank = " x ".join(f"{s:g}" for s in part.spacing), part.basis.shape[0]
        less = "with half the nodes, " if loss.bound else ""
        lost = f"{less}median {loss.median:.2%}, mean {loss.mean:.2%}, 95 % of traces below {loss.worst:.2%}"
        print(f"{channel.station} {channel.name} ({channel.kind}): node each {step} m, rank {rank}; energy lost: {lost}")
        sys.stdout.flush()
