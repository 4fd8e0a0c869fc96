"""Making all that a run needs from settings: grid, survey, wavelet, known velocities, data; and checks that they agree."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from vip.errors import ConfigError
from vip.forward.fwi2d.arrays import SAME_DT, SEGY, Recording, read_array, read_section, read_segy
from vip.forward.fwi2d.data import checked, dead_or_masked, standard_deviations
from vip.forward.fwi2d.settings import FWISettings, KnownSettings, SyntheticSettings
from vip.forward.fwi2d.survey import Survey, check_inside, read_survey
from vip.forward.fwi2d.wavelet import highest_frequency, refined, ricker
from vip.kernels_c.acoustic2d import Grid, Shot, traces
from vip.protocols import Floats


class Known(NamedTuple):
    """Velocities that are known, and where."""

    velocity: Floats
    """Velocities (rows, columns), m/s, used where known."""
    free_mask: NDArray[np.bool_]
    """Whether each node (rows from `first_row`, columns) of the model is inverted for."""
    first_row: int
    """First row of a model: rows above are wholly known and not part of it."""

    @property
    def size(self) -> int:
        """Number of velocities in a model."""
        return self.free_mask.size

    def full(self, free: Floats) -> Floats:
        """The whole section of the velocities (size,) of a model."""
        section = self.velocity.copy()
        section[self.first_row :][self.free_mask] = free.reshape(self.free_mask.shape)[self.free_mask]
        return section

    def free(self, section: Floats) -> Floats:
        """The model's part (size,) of a section, such as a gradient; zero where the velocity is known."""
        return np.where(self.free_mask, section[self.first_row :], 0.0).ravel()


class Prepared(NamedTuple):
    """All that `prepare` makes from settings."""

    shots: list[Shot]
    substeps: int
    survey: Survey
    wavelet: Floats
    known: Known
    data: Floats
    sigma: Floats
    true_velocity: Floats | None
    inputs: list[Path]
    facts: list[tuple[str, str]]


def prepare(s: FWISettings, base_dir: Path) -> Prepared:
    """Read or make all that a run needs.

    Raises
    ------
    ConfigError
        If there is a fault; the message names, for the first one, the key or file, what was found and what would be right.
    """
    shape, spacing = s.grid.shape, s.grid.steps
    recording = _recording(s, base_dir)
    if s.shots is not None and s.receivers is not None:
        survey = read_survey(s.shots, s.receivers, base_dir)
    else:
        survey = cast("Recording", recording).survey  # the settings have seen that there is one or the other
    known = _known(s.known, shape, spacing, base_dir)
    wavelet = _wavelet(s, base_dir)
    substeps = _substeps(s)
    grid = Grid(
        shape,
        spacing,
        s.time.dt / substeps,
        (s.time.samples - 1) * substeps + 1,
        s.grid.order,
        s.grid.layer,
        s.grid.free_surface,
        layer_speed=s.velocity_range[1],
        known_rows=known.first_row,
    )
    check_inside(survey, grid)
    facts = _check_dispersion(s, grid, wavelet)
    shots = [Shot(grid, p[None], r, s.precision) for p, r in zip(survey.sources, survey.receivers, strict=True)]
    fine = refined(wavelet, substeps)
    truth = _true_velocity(s, base_dir)
    if s.synthetic is not None and truth is not None:
        data, sigma = _synthetic(s, s.synthetic, shots, substeps, fine, truth, base_dir)
    else:
        data, sigma = _observed(s, survey, recording, base_dir)
    return Prepared(shots, substeps, survey, fine, known, data, sigma, truth, _inputs(s, base_dir), facts)


def check_bounds(lower: Floats, upper: Floats, velocity_range: tuple[float, float]) -> None:
    """Raise `ConfigError` if bounds that are finite leave the range of velocities that waves were checked for."""
    slowest, fastest = velocity_range
    for name, bounds, wrong in (("lower", lower, lower < slowest), ("upper", upper, upper > fastest)):
        wrong &= np.isfinite(bounds)
        if wrong.any():
            value = float(bounds[wrong].min() if name == "lower" else bounds[wrong].max())
            remedy = f"leaves forward.velocity_range, {slowest:g} to {fastest:g} m/s; enlarge that or narrow the prior"
            raise ConfigError(f"prior.velocity.{name}", value, remedy)


def _recording(s: FWISettings, base_dir: Path) -> Recording | None:
    if s.data is None or s.data.suffix.lower() not in SEGY:
        return None
    recording = read_segy(base_dir / s.data)
    if abs(recording.dt / s.time.dt - 1) > SAME_DT:
        raise ConfigError("time.dt", s.time.dt, f"the data are sampled every {recording.dt:g} s", base_dir / s.data)
    return recording


def _known(known: KnownSettings | None, shape: tuple[int, int], spacing: tuple[float, float], base_dir: Path) -> Known:
    if known is None:
        return Known(np.zeros(shape), np.ones(shape, dtype=bool), 0)
    if known.depth is not None and known.velocity is not None:
        mask = np.broadcast_to((np.arange(shape[0]) * spacing[0] < known.depth)[:, None], shape)
        velocity = np.full(shape, known.velocity)
    else:
        mask_file, model_file = base_dir / str(known.mask), base_dir / str(known.model)
        values = read_array(mask_file)
        if values.size != math.prod(shape) or not np.isin(values, (0, 1)).all():
            raise ConfigError("known.mask", values.shape, f"expected {shape} of 0 and 1 (known)", mask_file)
        mask, velocity = values.reshape(shape) == 1, read_section(model_file, shape, spacing)
    if mask.all():
        raise ConfigError("known", "all nodes", "nothing is left to invert for")
    first_row = int(np.flatnonzero(~mask.all(axis=1))[0])
    return Known(velocity, ~mask[first_row:], first_row)


def _wavelet(s: FWISettings, base_dir: Path) -> Floats:
    """The wavelet at the samples of the data."""
    if s.wavelet.frequency is not None:
        return ricker(s.wavelet.frequency, s.wavelet.delay or 1 / s.wavelet.frequency, s.time.dt, s.time.samples)
    file = base_dir / str(s.wavelet.file)
    samples = read_array(file).ravel()
    if len(samples) > s.time.samples or not np.isfinite(samples).all() or not samples.any():
        remedy = f"expected up to {s.time.samples} finite samples every {s.time.dt:g} s, not all zero"
        raise ConfigError("wavelet.file", f"{len(samples)} samples", remedy, file)
    return np.pad(samples, (0, s.time.samples - len(samples)))


def _substeps(s: FWISettings) -> int:
    """Number of time steps for each sample; raises `ConfigError` if there are too few."""
    fastest = s.velocity_range[1]
    limit = Grid(s.grid.shape, s.grid.steps, s.time.dt, 1, s.grid.order).largest_time_step(fastest)
    needed = math.ceil(s.time.dt / limit)
    substeps = needed if s.time.substeps == "auto" else s.time.substeps
    if substeps < needed:
        remedy = f"unstable at {fastest:g} m/s: needs dt <= {limit:.3g} s; resample the data, or set substeps = {needed}"
        raise ConfigError("time.dt", s.time.dt / substeps, remedy)
    return substeps


def _check_dispersion(s: FWISettings, grid: Grid, wavelet: Floats) -> list[tuple[str, str]]:
    """Facts on stability and dispersion for `vip check`; raises `ConfigError` if the grid is too coarse."""
    slowest, fastest = s.velocity_range
    frequency = highest_frequency(wavelet, s.time.dt)
    error = grid.phase_velocity_error(frequency, slowest)
    per_wavelength = slowest / frequency / max(grid.spacing)
    limit = grid.largest_time_step(fastest)
    if abs(error) > s.dispersion_limit:
        found = (
            f"{per_wavelength:.3g} nodes per wavelength of {slowest / frequency:.3g} m ({frequency:.3g} Hz at {slowest:g} m/s)"
        )
        how_far = f"waves are {abs(error):.1%} off in speed" if math.isfinite(error) else "there are no such waves on this grid"
        remedy = (
            f"too coarse: {how_far}, the limit is {s.dispersion_limit:.1%}; "
            f"use spacing <= {_fine_enough(s, grid, frequency):.3g} m, a higher order, a lower frequency, "
            "or raise dispersion_limit"
        )
        raise ConfigError("grid.spacing", found, remedy)
    return [
        ("time step", f"{grid.dt * 1e3:.3g} ms, {grid.dt / limit:.0%} of the stability limit at {fastest:g} m/s"),
        ("nodes per wavelength", f"{per_wavelength:.3g} at {frequency:.3g} Hz and {slowest:g} m/s, speed error {error:.1%}"),
    ]


def _fine_enough(s: FWISettings, grid: Grid, frequency: float) -> float:
    """Largest spacing (m), to some 2 %, whose dispersion is within the limit."""
    coarsest, factor = max(grid.spacing), 1.0
    while factor > 0.01:
        factor *= 0.98
        finer = replace(grid, spacing=(factor * coarsest, factor * coarsest))
        if abs(finer.phase_velocity_error(frequency, s.velocity_range[0])) <= s.dispersion_limit:
            break
    return factor * coarsest


def _true_velocity(s: FWISettings, base_dir: Path) -> Floats | None:
    if s.synthetic is not None:
        return read_section(base_dir / s.synthetic.model, s.grid.shape, s.grid.steps, s.synthetic.spacing)
    if s.true_model is not None:
        return read_section(base_dir / s.true_model, s.grid.shape, s.grid.steps)
    return None


def _synthetic(
    s: FWISettings,
    synthetic: SyntheticSettings,
    shots: list[Shot],
    substeps: int,
    wavelet: Floats,
    truth: Floats,
    base_dir: Path,
) -> tuple[Floats, Floats]:
    """Noisy traces of the true model and their standard deviations."""
    slowest, fastest = s.velocity_range
    if truth.min() < slowest or truth.max() > fastest:
        found = f"velocities from {truth.min():g} to {truth.max():g} m/s"
        raise ConfigError("synthetic.model", found, f"leave velocity_range, {slowest:g} to {fastest:g}", synthetic.model)
    clean = np.concatenate([traces(truth, shot, wavelet[:, None])[::substeps].T for shot in shots]).astype(float)
    sigma = standard_deviations(s.sigma, s.relative_sigma, clean, base_dir)
    return clean + sigma * np.random.default_rng(synthetic.seed).standard_normal(clean.shape), sigma


def _observed(s: FWISettings, survey: Survey, recording: Recording | None, base_dir: Path) -> tuple[Floats, Floats]:
    """Traces from a file and their standard deviations, infinite where masked."""
    file = base_dir / str(s.data)
    data = checked(recording.traces if recording else read_array(file), survey.n_traces, s.time.samples, file)
    masked = dead_or_masked(data, s.dead_traces, file)
    if masked.all():
        raise ConfigError("data", "all traces are masked", "no data are left", file)
    sigma = standard_deviations(s.sigma, s.relative_sigma, np.where(masked, np.nan, data), base_dir)
    return data, np.where(masked, np.inf, sigma) if masked.any() else sigma


def _inputs(s: FWISettings, base_dir: Path) -> list[Path]:
    """All files that the settings name."""
    known = (s.known.mask, s.known.model) if s.known else ()
    synthetic = (s.synthetic.model,) if s.synthetic else ()
    given = (s.shots, s.receivers, s.data, s.sigma, s.wavelet.file, s.true_model, *known, *synthetic)
    return [base_dir / path for path in given if isinstance(path, Path)]
