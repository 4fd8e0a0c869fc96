"""`vip amortise train SETTINGS.toml -o FILE` and `vip amortise test [FILE]`, a command that this plugin brings."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vip.cli.messages import messages_shown
from vip.cli.options import Overwrite, check_are_free
from vip.cli.signals import stop_on_signal
from vip.config.toml import load_settings
from vip.errors import ConfigError
from vip.forward.tomo2d.amortised.settings import AmortisedSettings, SurveySettings
from vip.pages.page import write_page
from vip.progress import Waiting

if TYPE_CHECKING:
    from vip.forward.tomo2d.amortised.yardsticks import Group

log = logging.getLogger("vip.progress")

app = typer.Typer(
    help="Train a network for travel-time tomography on surveys of your own, and measure any of them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def train(
    settings: Annotated[
        Path, typer.Argument(metavar="SETTINGS.toml", help="Settings of the training; what is left out has its default.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="File of the network (.safetensors).")],
    start: Annotated[Path | None, typer.Option("--start", help="Trained network of the same shape that is trained on.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Train a network; stopped or killed, the same command goes on to the same network."""
    if output.suffix != ".safetensors":
        raise ConfigError("--output", output, "expected a name that ends in .safetensors")
    if not overwrite:
        check_are_free(output)
    asked = load_settings(AmortisedSettings, settings)
    _check_torch()
    from vip.forward.tomo2d.amortised.training import train as trained

    with messages_shown(), stop_on_signal() as stop:
        waiting = Waiting("training", asked.steps, "steps")
        mean = [0.0]

        def tell(done: int, loss: float) -> None:
            mean[0] += (-loss - mean[0]) / min(done, 100)
            waiting(done, f", gain {mean[0]:.1f} nats")

        if not trained(asked, output, tell, start, stop):
            print(f"{output.with_suffix('.state.safetensors')}: saved; the same command goes on")
            raise typer.Exit(stop.exit_code)
    print(f"{output}: trained; `vip amortise test {output}` measures it")


@app.command("test")
def measure(
    network: Annotated[
        Path | None, typer.Argument(metavar="[NETWORK]", help="Trained network; without it, the one of the package.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the page.")] = Path("amortised-test"),
    maps: Annotated[int, typer.Option("--maps", min=2, help="Number of simulated maps for each row of the table.")] = 40,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the simulated surveys.")] = 0,
    overwrite: Overwrite = False,
) -> None:
    """Measure a network on simulated surveys: gain, coverage and ranks by stations and noise, beside straight rays."""
    if not overwrite:
        check_are_free(output)
    from vip.forward.tomo2d.amortised.judges import STRAIGHT, load_judge
    from vip.forward.tomo2d.amortised.pictures import pictures
    from vip.forward.tomo2d.amortised.yardsticks import groups, judged, yardstick

    judge = load_judge(network)
    surveys = SurveySettings(**judge.about.get("surveys", {}))
    kinds = list(groups(surveys))
    found: list[Group] = []
    straight: list[Group] = []
    with messages_shown():
        waiting = Waiting("test", maps * len(kinds), "maps")
        for kind in kinds:

            def tell(done: int, before: int = len(found) * maps) -> None:
                waiting(before + done)

            ours, closed = judged([judge, STRAIGHT], kind, maps, seed, tell)
            found.append(ours)
            straight.append(closed)
            print(_line(ours, closed), flush=True)
    figures = pictures(judge.about, found, straight, [judge, STRAIGHT], yardstick(surveys))
    headline = (
        f"Gain over the prior {_mean(found):.1f} nats, of straight rays {_mean(straight):.1f}, over {maps * len(kinds)} maps"
    )
    page = write_page(output, "A trained network, measured", headline, dict(_rows(judge.about, found, straight)), figures)
    print(f"{page}: written")


def _check_torch() -> None:
    from importlib.util import find_spec

    if find_spec("torch") is None:
        raise ConfigError("torch", "not installed", "training needs it: pip install 'vip-inversion[neural]'")


def _line(ours: Group, straight: Group) -> str:
    cells, joint = (" ".join(f"{share:.3f}" for share in found()[0]) for found in (ours.cells, ours.joint))
    (gain, error), (closed, _) = ours.mean("gain"), straight.mean("gain")
    return (
        f"{ours.name}: gain {gain:.1f} ± {error:.1f} nats (straight rays {closed:.1f}); "
        f"coverage at 50, 90, 95 %: cells {cells}, joint {joint}; "
        f"χ² {ours.mean('chi2')[0]:.2f}; {1e3 * ours.mean('seconds')[0]:.0f} ms"
    )


def _mean(groups: Sequence[Group]) -> float:
    return sum(group.mean("gain")[0] for group in groups) / len(groups)


def _rows(about: Mapping[str, object], found: Sequence[Group], straight: Sequence[Group]) -> Iterator[tuple[str, str]]:
    """Rows of the page's table: the training, and a line for each group."""
    for key in ("kind", "steps_done", "version", "commit", "first_data", "misfit_limit"):
        if about.get(key):
            yield key.replace("_", " "), str(about[key])
    for ours, closed in zip(found, straight, strict=True):
        yield ours.name, _line(ours, closed).partition(": ")[2]
