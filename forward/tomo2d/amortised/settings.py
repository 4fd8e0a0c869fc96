"""Settings of the training of a network."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from vip.errors import ConfigError
from vip.settings import Count, Positive, Settings

Share = Annotated[float, Field(ge=0, le=1)]
Range = tuple[Positive, Positive]


class SurveySettings(Settings):
    """Random surveys from which a network learns. A range is (lowest, highest), evenly drawn unless something else is said.

    Attributes
    ----------
    nodes : range of int
        Number of rows, and number of columns, of the grid.
    stations : range of int
        Number of stations, evenly by its logarithm.
    kept : range
        Part of the station pairs that have a time; in half of the surveys, all have one.
    most_paths : int
        Largest number of paths; if there were more, some are left out.
    fill : range
        Part of the grid's area that the stations' box fills.
    sigma : range
        Standard deviation of times over the times, evenly by its logarithm.
    uneven : float
        Largest standard deviation, over the paths of a survey, of the logarithm of their sigma.
    ratio : range
        Upper bound of the velocity over the lower one.
    white : float
        Part of the surveys whose prior is white noise.
    correlation : range
        Correlation length of the other ones, in cells.
    """

    nodes: tuple[Annotated[int, Field(ge=3)], Annotated[int, Field(ge=3)]] = (6, 14)
    stations: tuple[Annotated[int, Field(ge=2)], Annotated[int, Field(ge=2)]] = (4, 30)
    kept: tuple[Share, Share] = (0.2, 1.0)
    most_paths: Count = 240
    fill: tuple[Share, Share] = (0.4, 1.0)
    sigma: Range = (0.005, 0.08)
    uneven: Annotated[float, Field(ge=0, le=2)] = 0.5
    ratio: Range = (1.3, 2.5)
    white: Share = 0.6
    correlation: Range = (0.5, 4.0)

    def model_post_init(self, _context: object) -> None:
        """Check that ranges have their ends in order."""
        for name in ("nodes", "stations", "kept", "fill", "sigma", "ratio", "correlation"):
            low, high = getattr(self, name)
            if low > high:
                raise ConfigError(name, [low, high], "the lowest comes first")
        if self.ratio[0] <= 1:
            raise ConfigError("ratio", self.ratio[0], "the upper bound of the velocity must exceed the lower one")


class AmortisedSettings(Settings):
    """Settings of `vip.forward.tomo2d.amortised.training.train`.

    Attributes
    ----------
    kind : str
        "rays": a graph of paths and cells, with exact rays. "graph-mdn": the network of Zhang & Xia, stations as nodes.
    seed : int
        The same seed makes the same network on the same kind of processor.
    steps : int
        Number of steps.
    maps : int
        Number of models in each step, all with the same stations.
    step_size : float
        Largest size of a step.
    draws : tuple of int
        Number of draws through which rays are traced in each stage after the first.
    width, rounds, gates : int
        Size of the network, see `Shape`.
    refinement : int
        Refinement of the grid of times in the network.
    data_refinement : int
        Refinement of the grid with which data are made.
    checked : int
        Number of simulated surveys from which the largest plausible misfit is found.
    surveys : table
        Random surveys.
    """

    kind: Literal["rays", "graph-mdn"] = "rays"
    seed: Annotated[int, Field(ge=0)] = 0
    steps: Count = 10_000
    maps: Count = 16
    step_size: Positive = 3e-3
    draws: tuple[Count, ...] = (1, 8, 8, 8)
    width: Count = 32
    rounds: Count = 2
    gates: Count = 4
    refinement: Annotated[int, Field(ge=1, le=20)] = 3
    data_refinement: Annotated[int, Field(ge=1, le=20)] = 5
    checked: Count = 400
    surveys: SurveySettings = SurveySettings()

    def model_post_init(self, _context: object) -> None:
        """Check the numbers of draws."""
        odd = [n for n in self.draws if n > 1 and n % 2]
        if odd:
            raise ConfigError("draws", odd[0], "draws come in pairs: an even number, or 1 for the mean alone")
