"""Acoustic full-waveform inversion as a forward plugin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from vip.errors import ForwardError
from vip.forward.fwi2d import setup, synthetic
from vip.forward.fwi2d.likelihood import Gaussian, Likelihood, Observed, StudentT, observe
from vip.forward.fwi2d.settings import FWISettings
from vip.forward.fwi2d.setup import Known
from vip.forward.fwi2d.survey import Survey
from vip.kernels_c.acoustic2d import Grid, Shot, propagate, simd_level, traces
from vip.protocols import Floats, Gather, ModelSpace, Variable


class _Outcome(NamedTuple):
    value: float
    by_velocity: Floats
    by_log_scale: float


class FWI2D:
    """Log-likelihood of velocity sections given the traces of many shots.

    Models are velocities (m/s) row by row, from the first row that is not wholly known; with `unknown_noise` followed by the
    logarithm of a factor that multiplies all standard deviations. Shots are data blocks.

    Parameters
    ----------
    shots : list of Shot
        Shots on one grid, whose time steps are the substeps.
    survey : Survey
        Positions of the shots and receivers.
    wavelet : (n_steps,) float
        Wavelet of all shots, at the grid's time steps.
    known : Known
    data : (traces, samples) float
        Observed waveforms, all shots one after the other.
    sigma : float array
        Standard deviations, broadcastable to `data`; infinite where a sample does not count.
    substeps : int
        Number of time steps from sample to sample.
    likelihood : Gaussian or StudentT
    unknown_noise : bool
    wells : sequence of float
        Distances, m, where the report draws marginals with depth; evenly spaced ones by default.
    """

    settings_class = FWISettings
    threads = 1
    data_label = "pressure"
    papers = ("grote_sim_2010", "hicks_2002")

    def __init__(
        self,
        shots: list[Shot],
        survey: Survey,
        wavelet: Floats,
        known: Known,
        data: Floats,
        sigma: Floats,
        substeps: int = 1,
        likelihood: Likelihood | None = None,
        unknown_noise: bool = False,
        wells: Sequence[float] = (),
    ) -> None:
        grid, precision = shots[0].grid, shots[0].precision
        self.shots, self.grid, self.survey, self.known, self.substeps = shots, grid, survey, known, substeps
        self.unknown_noise, self.likelihood = unknown_noise, likelihood or Gaussian()
        self.wavelet = np.asarray(wavelet, precision)[:, None]
        self._sigma = np.broadcast_to(sigma, data.shape)
        self._observed = _by_shot(survey, np.nan_to_num(data), sigma, precision)
        self._constants = [self.likelihood.constant(observed) for observed in self._observed]
        self.space = _space(grid, known, unknown_noise)
        self.ndim = self.space.size
        self.n_blocks = len(self.shots)
        self.fixed_nodes = np.zeros(self.ndim, dtype=bool)
        self.fixed_nodes[: known.free_mask.size] = ~known.free_mask.ravel()
        self.wells = np.array(wells, dtype=float) if len(wells) else None
        self.true_model: Floats | None = None
        self.inputs: list[Path] = []
        self.velocity_range = (0.0, np.inf)
        self._facts: list[tuple[str, str]] = []

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], base_dir: Path) -> Self:
        """Build from the ``[forward]`` table; paths are relative to `base_dir`. Data are read, or made."""
        s = FWISettings.model_validate(settings)
        made = setup.prepare(s, base_dir)
        likelihood = StudentT(s.degrees_of_freedom) if s.likelihood == "student-t" else Gaussian()
        plugin = cls(
            made.shots,
            made.survey,
            made.wavelet,
            made.known,
            made.data,
            made.sigma,
            made.substeps,
            likelihood,
            s.unknown_noise,
            s.wells,
        )
        plugin.inputs, plugin.velocity_range, plugin._facts = made.inputs, s.velocity_range, made.facts
        if made.true_velocity is not None:
            plugin.true_model = np.pad(made.known.free(made.true_velocity), (0, int(s.unknown_noise)))
        return plugin

    @property
    def observed(self) -> Floats:
        """Observed data (n_data,): shot by shot, trace by trace."""
        return np.concatenate([observed.traces.T.ravel() for observed in self._observed]).astype(float)

    @property
    def sigma(self) -> Floats:
        """Standard deviations (n_data,); infinite where masked."""
        return self._sigma.ravel()

    @property
    def gathers(self) -> list[Gather]:
        """Gathers for figures, one for each shot."""
        samples = (self.grid.n_steps - 1) // self.substeps + 1
        time = np.arange(samples) * self.grid.dt * self.substeps
        gathers, start = [], 0
        for i, (source, receivers) in enumerate(zip(self.survey.sources, self.survey.receivers, strict=True)):
            end = start + len(receivers) * samples
            label = f"shot {i + 1} at x = {source[1]:g} m"
            gathers.append(Gather(label, slice(start, end), receivers[:, 1], time))
            start = end
        return gathers

    def __call__(self, models: Floats, blocks: Sequence[int] | None = None) -> tuple[Floats, Floats]:
        """Log-likelihood (n,) and gradient (n, d), normalised.

        Parameters
        ----------
        models : (n, d) float
        blocks : sequence of int, optional
            Shots to use; the result is scaled such that its average over blocks is that of all shots.

        Raises
        ------
        ForwardError
            If a velocity is out of range; the message names the particles, and the range.
        """
        shots = range(self.n_blocks) if blocks is None else blocks
        velocities, log_scales = self._split(models)
        value, gradient = np.zeros(len(models)), np.zeros(models.shape)
        tasks = [(particle, shot) for particle in range(len(models)) for shot in shots]

        def evaluate(task: tuple[int, int]) -> _Outcome:
            particle, shot = task
            return self._shot(velocities[particle], shot, log_scales[particle])

        with ThreadPoolExecutor(self.threads) as pool:
            outcomes = pool.map(evaluate, tasks) if self.threads > 1 else map(evaluate, tasks)
            # In the order of the tasks, whoever finishes first: sums do not depend on the number of threads.
            for (particle, _), outcome in zip(tasks, outcomes, strict=True):
                value[particle] += outcome.value
                gradient[particle, : self.known.size] += self.known.free(outcome.by_velocity)
                if self.unknown_noise:
                    gradient[particle, -1] += outcome.by_log_scale
        scale = self.n_blocks / len(shots)
        return scale * value, scale * gradient

    def simulate(self, models: Floats) -> Floats:
        """Data (n, n_data) of models (n, d), without noise."""
        velocities, _ = self._split(models)
        tasks = [(velocity, shot) for velocity in velocities for shot in self.shots]
        with ThreadPoolExecutor(self.threads) as pool:
            predicted = pool.map(lambda task: self._predict(*task).T.ravel(), tasks)
            return np.concatenate(list(predicted)).reshape(len(models), -1).astype(float)

    def check_prior(self, lower: Floats, upper: Floats) -> None:
        """Raise `ConfigError` if a prior's finite bounds (d,) leave `velocity_range`; infinite ones are not checked."""
        n = self.known.size
        setup.check_bounds(lower[:n], upper[:n], self.velocity_range)

    def facts(self) -> list[tuple[str, str]]:
        """Names and values of the set-up for `vip check`."""
        memory = max(shot.memory for shot in self.shots)
        return [*self._facts, ("memory of a shot", f"{memory / 1e6:.3g} MB for each thread")]

    def _shot(self, velocity: Floats, shot: int, log_scale: float) -> _Outcome:
        waves = propagate(velocity, self.shots[shot], self.wavelet)
        result = self.likelihood(waves.traces[:: self.substeps], self._observed[shot], log_scale)
        by_trace = result.by_trace
        if self.substeps > 1:
            by_trace = np.zeros_like(waves.traces)
            by_trace[:: self.substeps] = result.by_trace
        return _Outcome(result.value + self._constants[shot], waves.gradient(by_trace), result.by_log_scale)

    def _predict(self, velocity: Floats, shot: Shot) -> NDArray[np.floating]:
        predicted: NDArray[np.floating] = traces(velocity, shot, self.wavelet)[:: self.substeps]
        return predicted

    def _split(self, models: Floats) -> tuple[list[Floats], Floats]:
        """Velocity sections, and the logarithm of the noise scale (n,)."""
        n = self.known.size
        slowest, fastest = self.velocity_range
        free = models[:, :n]
        reasons = {
            int(
                i
            ): f"velocities from {free[i].min():g} to {free[i].max():g} m/s leave velocity_range, {slowest:g} to {fastest:g}"
            for i in np.flatnonzero(~((free >= slowest) & (free <= fastest)).all(axis=1))
        }
        if reasons:
            raise ForwardError(reasons)
        log_scales = models[:, n] if self.unknown_noise else np.zeros(len(models))
        return [self.known.full(v) for v in free], log_scales

    @staticmethod
    def native_code() -> str:
        """Instruction set that the native kernel uses on this machine, for `vip doctor`."""
        return f"acoustic2d, {simd_level()}"

    starter_config = staticmethod(synthetic.starter_config)
    write_example = staticmethod(synthetic.write_example)


def _by_shot(survey: Survey, data: Floats, sigma: Floats, precision: str) -> list[Observed]:
    """Data and weights of each shot, (samples, traces) as the kernel has them."""
    ends = np.cumsum([len(receivers) for receivers in survey.receivers])
    sigma = np.broadcast_to(sigma, (len(data), sigma.shape[1]))
    observed = []
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        samples_first = np.ascontiguousarray(data[start:end].T, dtype=precision)
        observed.append(observe(samples_first, np.ascontiguousarray(1 / sigma[start:end].T, dtype=precision)))
    return observed


def _space(grid: Grid, known: Known, unknown_noise: bool) -> ModelSpace:
    coords: dict[str, Floats] = {
        "depth": grid.spacing[0] * np.arange(known.first_row, grid.shape[0], dtype=float),
        "x": grid.spacing[1] * np.arange(grid.shape[1], dtype=float),
    }
    velocity = Variable("velocity", "m/s", ("depth", "x"), coords, "P velocity", {"depth": "m", "x": "m"})
    if not unknown_noise:
        return ModelSpace((velocity,))
    return ModelSpace((velocity, Variable("log_noise", "1", long_name="logarithm of the noise scale")))
