"""Travel-time tomography as a forward plugin."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from vip.errors import ConfigError
from vip.forward.tomo2d import synthetic
from vip.forward.tomo2d.data import Picks, read_csv, read_text
from vip.forward.tomo2d.public import DATA_SETS
from vip.forward.tomo2d.rays import ray_lengths
from vip.forward.tomo2d.settings import TomoSettings
from vip.forward.tomo2d.sources import minimum_sources, orient
from vip.kernels_c.eikonal2d import Grid, Plan, simd_level, time_field, travel_times
from vip.protocols import Floats, ModelSpace, PriorFacts, Proposal, Variable

FEW_SOURCES, MOST_FINE = 6, 5_000_000
"""Number of sources, about, for which the error of the grid is found, and of nodes of the finest grid for it."""
N_PICTURED = 50
"""Number of samples, about, whose residuals are shown by station."""


class Tomo2D:
    """Log-likelihood of velocity maps given travel times with Gaussian errors.

    Models are velocities (km/s) on the nodes, row by row, for each period in turn; with `unknown_noise` followed by the
    logarithm of one factor for each period that multiplies all its standard deviations.

    Parameters
    ----------
    grid : Grid
    picks : mapping of str to Picks
        Data by the label of the period, "" if there is only one.
    unknown_noise : bool
        Whether the scale of the noise is inferred too.
    precision : {"float32", "float64"}
        Precision of the travel-time computation.

    Raises
    ------
    ConfigError
        If a station lies outside the grid.
    """

    settings_class = TomoSettings
    data_sets = DATA_SETS
    threads = 1
    batch = 16  # lanes of the widest registers
    data_label = "travel time (s)"
    papers = ("kimmel_sethian_1998", "fomel_2009", "luo_qian_2012")

    def __init__(
        self,
        grid: Grid,
        picks: Mapping[str, Picks],
        unknown_noise: bool = False,
        precision: str = "float32",
    ) -> None:
        self.grid, self.picks, self.unknown_noise = grid, dict(picks), unknown_noise
        for data in self.picks.values():
            _check_inside(grid, data)
        self._surveys = [_oriented(data) for data in self.picks.values()]
        self.plans = [Plan(grid, *survey, precision) for survey in self._surveys]
        self.space = _space(grid, list(self.picks), unknown_noise)
        self.ndim = self.space.size
        self.geographic = grid.spherical
        self.true_model: Floats | None = None
        self.network: Path | None = None
        self.inputs: list[Path] = []

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], base_dir: Path) -> Self:
        """Build from the ``[forward]`` table; paths are relative to `base_dir`."""
        s = TomoSettings.model_validate(settings)
        periods: Mapping[str, Path | None] = {period.label: period.times for period in s.periods} or {"": s.times}
        picks, inputs = {}, []
        for label, times in periods.items():
            files = [base_dir / path for path in (s.stations, s.sources, s.receivers, times) if path is not None]
            geographic = s.grid.unit == "degrees"
            picks[label] = read_csv(files[0], files[1], geographic) if s.stations else read_text(files[0], files[1], files[2])
            inputs += [file for file in files if file not in inputs]
        try:
            grid = Grid(s.grid.shape, s.grid.origin, s.grid.spacing, s.grid.unit == "degrees", s.grid.refinement)
        except ValueError as error:
            raise ConfigError("grid.spacing", s.grid.spacing, str(error)) from error
        plugin = cls(grid, picks, s.unknown_noise, s.precision)
        plugin.inputs = inputs
        if s.network is not None:
            plugin.network = base_dir / s.network
            plugin.inputs.append(plugin.network)
        if s.true_model is not None:
            plugin.true_model = _read_model(base_dir / s.true_model, plugin.space)
        return plugin

    @property
    def observed(self) -> Floats:
        """Observed times (n_data,), s, period by period."""
        return np.concatenate([data.time for data in self.picks.values()])

    @property
    def sigma(self) -> Floats:
        """Given standard deviations (n_data,), s."""
        return np.concatenate([data.sigma for data in self.picks.values()])

    @property
    def stations(self) -> Floats:
        """Coordinates (n_stations, 2) of all stations that have a measurement."""
        return np.unique(np.concatenate([d.stations[np.union1d(d.source, d.receiver)] for d in self.picks.values()]), axis=0)

    def __call__(self, models: Floats) -> tuple[Floats, Floats]:
        """Log-likelihood (n,) and gradient (n, d), normalised: the noise scale may be unknown."""
        value, gradient = np.zeros(len(models)), np.zeros(models.shape)
        velocities, log_scales = self._split(models)
        for i, (data, plan) in enumerate(zip(self.picks.values(), self.plans, strict=True)):
            weight = 1 / data.sigma**2
            times, by_velocity = travel_times(velocities[i], plan, data.time, weight, self.threads)
            misfit = 0.5 * (weight * (times - data.time) ** 2).sum(axis=1)
            shrink = np.exp(-2 * log_scales[i])
            value -= misfit * shrink + np.log(data.sigma).sum() + len(data.time) * (log_scales[i] + 0.5 * np.log(2 * np.pi))
            nodes = by_velocity.shape[1]
            gradient[:, i * nodes : (i + 1) * nodes] = -by_velocity * shrink[:, None]
            if self.unknown_noise:
                gradient[:, len(self.plans) * nodes + i] = 2 * misfit * shrink - len(data.time)
        return value, gradient

    def simulate(self, models: Floats) -> Floats:
        """Travel times (n, n_data), s, of models (n, d)."""
        velocities, _ = self._split(models)
        return np.concatenate(
            [travel_times(v, plan, threads=self.threads) for v, plan in zip(velocities, self.plans, strict=True)],
            axis=1,
        )

    def excerpt(self) -> Tomo2D | None:
        """The survey of a few sources of each period; None if a grid four times as fine has more nodes than fit."""
        if math.prod(self.grid.shape) * (4 * self.grid.refinement) ** 2 > MOST_FINE:
            return None
        picks = {}
        for (label, data), (sources, _, source_of_pick) in zip(self.picks.items(), self._surveys, strict=True):
            chosen = np.isin(source_of_pick, np.arange(len(sources))[:: math.ceil(len(sources) / FEW_SOURCES)])
            source, receiver = data.source[chosen], data.receiver[chosen]
            picks[label] = Picks(data.station_names, data.stations, source, receiver, data.time[chosen], data.sigma[chosen])
        return Tomo2D(self.grid, picks, self.unknown_noise)

    def finer(self, factor: int) -> Tomo2D:
        """The same survey with times on a grid `factor` times as fine."""
        grid = replace(self.grid, refinement=factor * self.grid.refinement)
        return Tomo2D(grid, self.picks, self.unknown_noise)

    def fineness(self, factor: float) -> str:
        """Setting for times on a grid at least `factor` times as fine as it is."""
        return f"refinement = {math.ceil(factor * self.grid.refinement)}"

    def with_observed(self, data: Floats) -> Self:
        """The same survey with other times (n_data,), s."""
        other = copy.copy(self)
        times = np.split(data, np.cumsum([len(picks.time) for picks in self.picks.values()])[:-1])
        other.picks = {period: picks._replace(time=t) for (period, picks), t in zip(self.picks.items(), times, strict=True)}
        return other

    def proposal(self, prior: Mapping[str, PriorFacts]) -> Proposal:
        """The posterior by a trained network, see `vip.forward.tomo2d.amortised`."""
        from vip.forward.tomo2d.amortised.proposal import propose

        return propose(self, prior, self.network)

    def coverage(self, model: Floats) -> Floats:
        """Length of rays (km) near each velocity node, in the shape of the velocity variable."""
        velocities, _ = self._split(model[None])
        maps = []
        for v, survey in zip(velocities, self._surveys, strict=True):
            plan = Plan(self.grid, *survey, "float64")
            fields = (time_field(v[0], plan, source) for source in range(plan.n_sources))
            maps.append(ray_lengths(self.grid, fields, *survey))
        return np.array(maps).reshape(self.space.variables[0].shape)

    def pictures(self, models: Floats) -> Iterator[tuple[str, str, str, Any]]:
        """Residuals by station of some of the samples (n, d)."""
        from vip.forward.tomo2d.pictures import pictures

        yield from pictures(self.picks, self.simulate(models[:: max(1, len(models) // N_PICTURED)]))

    def _split(self, models: Floats) -> tuple[list[Floats], Floats]:
        """Velocities (n, nodes) of each period, and the logarithm of its noise scale (periods, n)."""
        periods, nodes = len(self.plans), self.grid.shape[0] * self.grid.shape[1]
        velocities = [models[:, i * nodes : (i + 1) * nodes] for i in range(periods)]
        log_scales = models[:, periods * nodes :].T if self.unknown_noise else np.zeros((periods, len(models)))
        return velocities, log_scales

    @staticmethod
    def native_code() -> str:
        """Instruction set that the native kernel uses on this machine, for `vip doctor`."""
        return f"eikonal2d, {simd_level()}"

    starter_config = staticmethod(synthetic.starter_config)
    write_example = staticmethod(synthetic.write_example)


def _check_inside(grid: Grid, data: Picks) -> None:
    outside = np.flatnonzero(~grid.contains(data.stations))
    if len(outside):
        i = outside[0]
        last = [first + (n - 1) * step for first, n, step in zip(grid.origin, grid.shape, grid.spacing, strict=True)]
        ranges = " and ".join(f"{a:g} to {b:g}" for a, b in zip(grid.origin, last, strict=True))
        place = f"{data.stations[i, 0]:g}, {data.stations[i, 1]:g}"
        raise ConfigError(f"grid: station {data.station_names[i]}", place, f"lies outside the grid, {ranges}; enlarge it")


def _oriented(data: Picks) -> tuple[Floats, Floats, NDArray[np.intp]]:
    """Sources (n, 2) of the smallest cover, the receiver (n_picks, 2) and the source's index of each pick."""
    sources = minimum_sources(data.source, data.receiver)
    source_of_pick, receiver = orient(data.source, data.receiver, sources)
    return data.stations[sources], data.stations[receiver], source_of_pick


def _space(grid: Grid, periods: list[str], unknown_noise: bool) -> ModelSpace:
    axes = ("latitude", "longitude") if grid.spherical else ("y", "x")
    units = ("degrees_north", "degrees_east") if grid.spherical else ("km", "km")
    coords: dict[str, Any] = {
        axis: first + step * np.arange(n)
        for axis, first, step, n in zip(axes, grid.origin, grid.spacing, grid.shape, strict=True)
    }
    by_period = () if periods == [""] else ("period",)
    if by_period:
        coords["period"] = np.array(periods)
    velocity = Variable("velocity", "km/s", (*by_period, *axes), coords, "velocity", dict(zip(axes, units, strict=True)))
    if not unknown_noise:
        return ModelSpace((velocity,))
    return ModelSpace((velocity, Variable("log_noise", "1", by_period, coords, "logarithm of the noise scale")))


def _read_model(file: Path, space: ModelSpace) -> Floats:
    """A model vector from text; velocities alone are enough, the logarithm of the noise scale is then zero."""
    try:
        model = np.loadtxt(file).ravel()
    except (OSError, ValueError) as error:
        raise ConfigError("true_model", file, f"cannot be read: {error}") from error
    if len(model) not in (space.size, space.variables[0].size):
        raise ConfigError("true_model", f"{file} has {len(model)} numbers", f"expected {space.variables[0].size}")
    return np.pad(model, (0, space.size - len(model)))
