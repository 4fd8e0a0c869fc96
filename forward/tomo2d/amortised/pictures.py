"""Figures of a test: the training, coverage by stations and noise, ranks, and one map beside its truth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from vip.forward.tomo2d.amortised.examples import draw_examples
from vip.forward.tomo2d.amortised.judges import Judge
from vip.forward.tomo2d.amortised.settings import SurveySettings
from vip.forward.tomo2d.amortised.yardsticks import LEVELS, REFINEMENT, SIMULATED, Group, ranks
from vip.pages.style import BLACK, BLUE, GREEN, GREY, ORANGE, Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEVEL_COLOURS = (GREEN, ORANGE, BLUE)
BINS = 16
"""Number of bins of ranks, which have 64 values."""
SPREAD = 2.576
"""Standard scores that hold 99 %."""


def pictures(
    about: Mapping[str, Any],
    found: Sequence[Group],
    straight: Sequence[Group],
    judges: Sequence[Judge],
    example: SurveySettings,
) -> Iterator[Picture]:
    """All figures: of a network's groups, beside those of straight rays, and one map of each judge."""
    if about.get("curve"):
        yield training(about)
    yield gains(found, straight)
    yield coverage(found)
    yield rank_histograms(found)
    yield maps(judges, example)


def training(about: Mapping[str, Any]) -> Picture:
    """Mean gain over the prior while the network was trained."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 2.8), layout="constrained")
    axes = figure.add_subplot()
    steps = (np.arange(len(about["curve"])) + 0.5) / len(about["curve"]) * about["steps_done"]
    axes.plot(steps, about["curve"], color=BLUE)
    axes.set(xlabel="step", ylabel="gain over the prior (nats)")
    caption = (
        "Mean log-density of the true model over that of the prior, over all kinds of surveys that the network learns from. "
        "Each survey is new, so that the curve cannot rise by learning surveys by heart."
    )
    return Picture("training", "Training", caption, figure)


def gains(found: Sequence[Group], straight: Sequence[Group]) -> Picture:
    """Gain over the prior in each group, beside straight rays."""
    figure, axes, places = _rows(found)
    for groups, colour, name, shift in ((found, BLUE, "this network", -0.12), (straight, GREY, "straight rays", 0.12)):
        mean, error = np.array([group.mean("gain") for group in groups]).T
        axes.errorbar(mean, places + shift, xerr=2 * error, fmt="o", ms=4, color=colour, label=name)
    axes.axvline(0, color=BLACK, lw=0.8)
    axes.set(xlabel="gain over the prior (nats)")
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1))
    caption = (
        "Log-density of the true model over that of the prior, with two standard errors: more is better, and less than 0 is "
        "worse than no data at all."
    )
    return Picture("gain", "What the data tell", caption, figure)


def coverage(found: Sequence[Group]) -> Picture:
    """Coverage of cells and of joint regions in each group."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.2, 1.3 + 0.27 * len(found)), layout="constrained")
    places = np.arange(len(found))
    both = figure.subplots(1, 2, sharey=True)
    for axes, name, title in zip(both, ("cells", "joint"), ("Each cell", "Whole map (joint region)"), strict=True):
        values = [getattr(group, name)() for group in found]
        for k, (level, colour) in enumerate(zip(LEVELS, LEVEL_COLOURS, strict=True)):
            axes.axvline(level, color=colour, lw=0.8)
            share, error = ([value[part][k] for value in values] for part in (0, 1))
            axes.errorbar(share, places, xerr=2 * np.array(error), fmt="o", ms=4, color=colour, label=f"{level:.0%} region")
        axes.set(title=title, xlabel="share of truths inside", xlim=(0, 1))
    both[0].set_yticks(places, [group.name for group in found])
    both[0].invert_yaxis()
    both[1].legend(loc="upper left", bbox_to_anchor=(1.01, 1))
    caption = (
        "Share of true models inside regions of 50, 90 and 95 %, with two standard errors: dots should lie on the lines of "
        "their colour. Left of a line, the posterior is too narrow. A joint region holds the models that are denser than its "
        "border."
    )
    return Picture("coverage", "Calibration by stations and noise", caption, figure)


def rank_histograms(found: Sequence[Group]) -> Picture:
    """Ranks of true cells, times and log-likelihoods among draws, over all groups."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.2, 2.6), layout="constrained")
    maps = sum(len(group.marks) for group in found)
    labels = {"cells": "velocity of a cell", "paths": "travel time of a path", "likelihood": "log-likelihood"}
    for axes, (name, label) in zip(figure.subplots(1, 3), labels.items(), strict=True):
        _histogram(axes, ranks(found, name), maps)
        axes.set(xlabel=f"rank of the true {label}" if name != "likelihood" else "rank of the log-likelihood of the truth")
    caption = (
        f"Share of draws below the truth, over {maps:,} maps; a right posterior has flat histograms. The grey band holds 99 % "
        "of the bars for independent maps. A bump in the middle: too wide; horns at both ends: too narrow. A log-likelihood of "
        "the truth that ranks high means that draws fit the data less well than the truth does."
    )
    return Picture("ranks", "Ranks of the truth", caption, figure)


def maps(judges: Sequence[Judge], settings: SurveySettings, seed: int = 0) -> Picture:
    """One true map, and means and standard deviations of the judges' answers."""
    from matplotlib.figure import Figure

    rng = np.random.default_rng([seed, 0, 18])
    one = draw_examples(settings, 1, REFINEMENT, rng)
    shape, prior = one.survey.grid.shape, one.survey.prior
    figure = Figure(figsize=(2.7 * (1 + len(judges)), 5), layout="constrained")
    axes = figure.subplots(2, 1 + len(judges))
    places = np.unique(one.survey.ends.reshape(-1, 2), axis=0)
    truth = prior.velocity(one.z[0]).reshape(shape)
    answers = [judge.answers(one, 0).moments() for judge in judges]
    widest = max(float(sd.max()) for _, sd in answers)
    for column, (mean, title) in enumerate(
        [(truth, "truth"), *((m, j.name) for (m, _), j in zip(answers, judges, strict=True))]
    ):
        image = axes[0, column].imshow(mean.reshape(shape), cmap=_cmap("batlow"), vmin=prior.lower, vmax=prior.upper)
        axes[0, column].plot(*places.T[::-1], "^", color="white", mec=BLACK, ms=5)
        axes[0, column].set(title=title if column == 0 else f"mean, {title}")
    figure.colorbar(image, ax=axes[0], label="velocity / mean")
    axes[1, 0].axis("off")
    for column, ((_, sd), judge) in enumerate(zip(answers, judges, strict=True), 1):
        image = axes[1, column].imshow(sd.reshape(shape), cmap=_cmap("lajolla"), vmin=0, vmax=widest)
        axes[1, column].set(title=f"sd, {judge.name}")
    figure.colorbar(image, ax=axes[1], label="velocity / mean")
    for each in axes.flat:
        each.set(xticks=[], yticks=[])
    caption = "One simulated map of the test with its stations, which the network has not seen, and what is found of it."
    return Picture("map", "One map", caption, figure)


def _rows(found: Sequence[Group]) -> tuple[Any, Axes, Any]:
    """A figure with a row for each group."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 1.2 + 0.27 * len(found)), layout="constrained")
    axes = figure.add_subplot()
    places = np.arange(len(found), dtype=float)
    axes.set_yticks(places, [group.name for group in found])
    axes.invert_yaxis()
    return figure, axes, places


def _histogram(axes: Axes, shares: Any, maps: int) -> None:
    counts, edges = np.histogram(shares, np.linspace(0, 1 + 0.5 / SIMULATED, BINS + 1))
    expected = 1 / BINS
    half = SPREAD * np.sqrt(expected * (1 - expected) / maps)
    axes.axhspan(expected - half, expected + half, color=GREY, alpha=0.3, lw=0)
    axes.stairs(counts / counts.sum(), edges, fill=True, color=BLUE, alpha=0.6)
    axes.axhline(expected, color=BLACK, lw=0.8)
    axes.set(xlim=(0, 1), ylabel="share of truths", ylim=(0, max(2.2 * expected, 1.1 * counts.max() / counts.sum())))


def _cmap(name: str) -> Any:
    from cmcrameri import cm

    return getattr(cm, name)
