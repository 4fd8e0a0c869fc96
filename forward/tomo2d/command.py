"""`vip predict STATIONS TIMES... -o DIRECTORY` or `vip predict CONFIG.toml`, a command that this plugin brings."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

import vip
from vip.amortised.correction import correct
from vip.amortised.page import write_prediction
from vip.amortised.prediction import Prediction, predict
from vip.cli.messages import messages_shown
from vip.cli.options import Overwrite, check_are_free
from vip.errors import ConfigError
from vip.progress import shown

UNFINISHED = "unfinished"
"""File of a folder whose prediction was killed, so that the same command may write into it."""
NODES = (6, 14)
"""Smallest and largest number of rows or columns, if the network does not tell."""


def predict_command(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="STATIONS TIMES...",
            help="CSV: name, latitude, longitude (or y, x in km); source, receiver, time (or velocity), sigma, perhaps period; "
            "or one configuration (.toml).",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for samples (NetCDF), figures and a page.")] = Path(
        "maps"
    ),
    corrected: Annotated[bool, typer.Option("--correct", help="Use the exact likelihood: by weights, or by chains.")] = False,
    sigma: Annotated[
        float | None, typer.Option("--sigma", min=1e-4, max=0.5, help="Sigma over time where the table has none: 0.02 for 2 %.")
    ] = None,
    bounds: Annotated[tuple[float, float] | None, typer.Option("--bounds", help="Bounds of the velocity, km/s.")] = None,
    correlation: Annotated[
        float | None, typer.Option("--correlation", min=0, help="Correlation length of the prior, km; 0 for white noise.")
    ] = None,
    unknown_noise: Annotated[
        bool | None, typer.Option("--unknown-noise/--known-noise", help="Infer a factor on all sigmas; default: with --sigma.")
    ] = None,
    network: Annotated[Path | None, typer.Option("--network", help="Trained network of your own.")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the samples.")] = 0,
    overwrite: Overwrite = False,
) -> None:
    """Predict the posterior of velocity maps at once by a trained network; --correct makes it exact."""
    if not overwrite and not (output / UNFINISHED).exists():
        check_are_free(output)
    about: dict[str, str] = {}
    if files[0].suffix == ".toml":
        given = {"--sigma": sigma, "--bounds": bounds, "--correlation": correlation, "--network": network}
        _check_alone(files, {**given, "--unknown-noise": unknown_noise})
        prediction = _predicted(files[0], corrected)
    else:
        chosen = (sigma, bounds, correlation, unknown_noise, network, seed)
        with _left_only_if_good(output):
            config, about = _configured(files, output, *chosen)
            prediction = _predicted(config, corrected)
    config = prediction.result.problem.path or output
    page = write_prediction(prediction, output, f"{files[-1].stem}: maps", about, config.read_text("utf-8"))
    (output / UNFINISHED).unlink(missing_ok=True)
    for name, text in {**about, **prediction.facts}.items():
        print(f"{name:>20}  {text}")
    for warning in prediction.warnings:
        print(f"vip: warning: {warning}", file=sys.stderr)
    if prediction.warnings:
        print(f"vip: `vip check {config}` says what a run with the exact likelihood would cost", file=sys.stderr)
    print(f"{page}: {prediction.how}")


def _predicted(config: Path, corrected: bool) -> Prediction:
    with messages_shown():
        problem = vip.load_problem(config)
        try:
            if not corrected:
                return predict(problem)
            with shown() as tell:
                return correct(problem, tell=tell)
        except ConfigError as error:
            raise error if error.file else ConfigError(error.key, error.value, error.remedy, config) from error


@contextmanager
def _left_only_if_good(directory: Path) -> Iterator[None]:
    """Take a new directory away again if an error comes up: a second try finds what the first did."""
    mark = directory / UNFINISHED
    is_new = mark.exists() or not directory.exists()
    directory.mkdir(parents=True, exist_ok=True)
    mark.touch()
    try:
        yield
    except BaseException:  # Ctrl-C too
        if is_new:
            shutil.rmtree(directory, ignore_errors=True)
        mark.unlink(missing_ok=True)
        raise


def _configured(
    files: list[Path],
    output: Path,
    sigma: float | None,
    bounds: tuple[float, float] | None,
    correlation: float | None,
    unknown_noise: bool | None,
    network: Path | None,
    seed: int,
) -> tuple[Path, dict[str, str]]:
    """A configuration for tables alone, and what was chosen."""
    from vip.forward.tomo2d.adhoc import Choices, write_configuration
    from vip.forward.tomo2d.amortised.proposal import load
    from vip.forward.tomo2d.measured import read_measured

    if len(files) < 2:
        raise ConfigError("files", files[0], "give a table of stations and one of times, or a configuration (.toml)")
    if bounds is not None and not 0 < bounds[0] < bounds[1]:
        raise ConfigError("--bounds", list(bounds), "the lower bound comes first, and both are positive")
    known = load(network).about.get("surveys", {})
    measured = read_measured(files[0], files[1:], sigma, bounds)
    unknown = sigma is not None if unknown_noise is None else unknown_noise
    low, high = known.get("nodes", NODES)
    return write_configuration(measured, Choices(bounds, correlation, unknown, network, (low, high), seed), output)


def _check_alone(files: list[Path], given: dict[str, object]) -> None:
    """Raise an error for what a configuration says itself."""
    if len(files) > 1:
        raise ConfigError("files", files[1], f"{files[0]} names its own tables: leave this one out")
    surplus = [name for name, value in given.items() if value is not None]
    if surplus:
        raise ConfigError(surplus[0], given[surplus[0]], f"is in the configuration: change {files[0]}")
