"""Location and moment tensor of an event from whole seismograms, as a forward plugin."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from vip.algorithms.tempered import spread
from vip.errors import ConfigError
from vip.forward.waveform import setup, synthetic
from vip.forward.waveform.alignment import Aligned
from vip.forward.waveform.elementary import Elementary
from vip.forward.waveform.likelihood import Marginal
from vip.forward.waveform.noise import Process
from vip.forward.waveform.samples import write_samples
from vip.forward.waveform.settings import SourceSettings, WaveformSettings
from vip.forward.waveform.setup import Prepared, named
from vip.forward.waveform.source import Components, DoubleCouple, Mechanism, Source, typical_size
from vip.forward.waveform.tensors import basis, components
from vip.forward.waveform.truth import Truth, read_truth
from vip.protocols import Floats, ModelSpace, Variable

TOGETHER = 400_000
"""Number of values of elementary seismograms made together, so that they stay in the cache."""
SEARCHERS = 400
"""Least number of particles of the search: the places that explain anything fill a thousandth of a box."""
LOUDEST = 5.0
"""Largest logarithm of a factor on the noise."""
PLACE = ("x", "y", "depth")
log = logging.getLogger(__name__)


class Waveform:
    """Log-likelihood of the place and source of one event, given whole seismograms.

    Models are x, y and depth, m; then, each if it is unknown, the origin time, s after the reference time; the parameters of
    the moment tensor; the duration of the source, s; time terms, s, and logarithms of amplitude factors of stations; and the
    logarithm of a factor on the noise of each channel. Where the moment tensor is integrated out, it is no part of the model,
    and `tensors` draws it afterwards.

    Parameters
    ----------
    settings : WaveformSettings
    made : Prepared
    """

    settings_class = WaveformSettings
    papers: tuple[str, ...] = ("aki_richards_2002", "spurio_mancini_2021")
    data_label = "seismograms (Pa, m/s)"
    formats: Mapping[str, str] = MappingProxyType({"csv": ".csv"})

    def __init__(self, settings: WaveformSettings, made: Prepared) -> None:
        self.settings, self.record, self.greens = settings, made.record, made.greens
        self.alignment, self.likelihood = made.alignment, made.likelihood
        self.processes: Sequence[Process] = made.processes
        self.inputs: list[Path] = made.inputs
        self.stations: Sequence[str] = list(dict.fromkeys(channel.station for channel in made.record.channels))
        self.station_of = np.array([self.stations.index(channel.station) for channel in made.record.channels])
        self.source = _source(settings.source)
        self.parts = _parts(settings.source) if self.source is None else np.zeros((6, 0))
        variables, bounds = _variables(settings, self.source, self.stations, made)
        self.space = ModelSpace(tuple(variables))
        self.bounds: Mapping[str, tuple[Floats, Floats]] = {
            v.name: (np.full(v.shape, bounds[v.name][0]), np.full(v.shape, bounds[v.name][1])) for v in variables
        }
        self.ndim = self.space.size
        self.unknown_noise, self.has_gradient = settings.unknown_noise, settings.gradient
        self.truth: Truth | None = None
        self.true_model: Floats | None = None
        samples = self.greens.samples * len(made.record.channels)
        self._chunk = max(1, TOGETHER // (24 * samples))

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], base_dir: Path) -> Self:
        """Build from the ``[forward]`` table; paths are relative to `base_dir`."""
        s = WaveformSettings.model_validate(settings)
        plugin = cls(s, setup.prepare(s, base_dir))
        for channel in plugin.record.left_out:
            log.warning("left out: %s", channel)
        if s.truth is not None:
            plugin.truth = read_truth(base_dir / s.truth)
            plugin.true_model = plugin.truth.model(plugin.space)
        return plugin

    def __call__(self, models: Floats) -> tuple[Floats, Floats]:
        """Log-likelihood (n,) and gradient (n, d) of models (n, d), normalised; without `has_gradient` that is zero."""
        if not self.has_gradient:
            return self._values(models), np.zeros(models.shape)
        parts = [self._evaluate(models[i : i + self._chunk]) for i in range(0, len(models), self._chunk)]
        return np.concatenate([value for value, _ in parts]), np.concatenate([gradient for _, gradient in parts])

    def start(self, n: int, rng: np.random.Generator) -> Floats:
        """Models (n, d) that a search from all over the bounds ends with, by sequential Monte Carlo."""
        ends = zip(*(self.bounds[variable.name] for variable in self.space.variables), strict=True)
        lower, upper = (np.concatenate([np.ravel(end) for end in side])[None] for side in ends)

        def log_likelihood(places: Floats, problems: NDArray[np.intp]) -> Floats:
            return self._values(places[:, 0])[:, None]

        found = spread(log_likelihood, lower, upper, max(n, SEARCHERS), rng)[:, 0]
        return found[rng.permutation(len(found))[:n]]

    @property
    def observed(self) -> Floats:
        """Observed data (n_data,), channel by channel."""
        return self.record.traces.ravel()

    @property
    def sigma(self) -> Floats:
        """Standard deviations (n_data,) of the noise."""
        sigma = np.sqrt([process.variances[0] for process in self.processes])
        return np.repeat(sigma, self.record.traces.shape[1])

    @property
    def has_tensors(self) -> bool:
        """Whether something of the moment tensor is unknown."""
        return self.source is None or bool(self.source.variables)

    def simulate(self, models: Floats) -> Floats:
        """Data (n, n_data) of models (n, d), without noise; where the tensor is integrated out, that of its mean."""
        made = []
        for i in range(0, len(models), self._chunk):
            unknown, parts = self._parts_of(models[i : i + self._chunk])
            if isinstance(self.likelihood, Marginal):
                factors, _ = self.likelihood.factors(parts, unknown["log_noise"])
                parts = factors.astype(parts.dtype)[:, None, None] @ parts
            made.append(parts.reshape(len(parts), -1).astype(float))
        return np.concatenate(made)

    def tensors(self, models: Floats, rng: np.random.Generator) -> Floats:
        """Moment tensors (n, 6), N m, of models (n, d): where they are integrated out, a draw given each model and the data."""
        made = []
        for i in range(0, len(models), self._chunk):
            unknown, parts = self._parts_of(models[i : i + self._chunk])
            if self.source is not None:
                made.append(self.source(unknown["source"]).tensors)
            elif isinstance(self.likelihood, Marginal):
                mean, covariance = self.likelihood.factors(parts, unknown["log_noise"])
                root = np.linalg.cholesky(covariance)
                drawn = mean + (root @ rng.standard_normal((*mean.shape, 1)))[..., 0]
                made.append(drawn @ self.parts.T)
        return np.concatenate(made)

    def facts(self) -> list[tuple[str, str]]:
        """Names and values of the set-up for `vip check`."""
        first, last = setup.arrivals(self.greens)
        orders = [len(process.variances) - 1 for process in self.processes]
        left_out = "; ".join(self.record.left_out)
        tensor = "integrated out, and drawn afterwards" if self.source is None else "sampled"
        return [
            ("channels", f"{len(self.record.channels)} of {len(self.stations)} stations"),
            *([("channels left out", left_out)] if left_out else []),
            ("seismograms", f"{self.record.start:.4g} to {self.record.end:.4g} s, every {self.record.dt * 1e3:g} ms"),
            ("P after the origin time", f"{first.min():.3g} to {last.max():.3g} s"),
            ("order of the noise", f"{min(orders)} to {max(orders)}" if max(orders) else "0, it is white"),
            ("moment tensor", f"{self.settings.source.kind}, {tensor}"),
        ]

    def export(self, models: Floats, name: str, path: Path) -> None:
        """Write samples (n, d), each with a moment tensor, as CSV."""
        write_samples(self, models, path)

    def pictures(self, models: Floats) -> Iterator[tuple[str, str, str, Any]]:
        """Figures of the place, the moment tensor, and the seismograms."""
        from vip.forward.waveform.pictures import pictures

        yield from pictures(self, models)

    starter_config = staticmethod(synthetic.starter_config)
    write_example = staticmethod(synthetic.write_example)

    def _values(self, models: Floats) -> Floats:
        """Log-likelihoods (n,) of models (n, d)."""
        values = []
        step = 4 * self._chunk  # without slopes, there are a quarter as many values
        for i in range(0, len(models), step):
            unknown, parts = self._parts_of(models[i : i + step])
            values.append(self.likelihood(parts, unknown["log_noise"], slopes=False).value)
        return np.concatenate(values)

    def _evaluate(self, models: Floats) -> tuple[Floats, Floats]:
        """Log-likelihoods and gradients of a few models."""
        unknown = self._unpacked(models)
        elementary = self.greens.elementary(_place(unknown), slopes=True)
        weights, aligned = self._predict(unknown, elementary)
        amplified = self._amplified(aligned.traces, unknown)
        found = self.likelihood(amplified, unknown["log_noise"])
        by_amplitude = (found.by_traces * amplified).sum(axis=3, dtype=float).sum(axis=2)
        slopes = self.alignment.pull_back(self._amplified(found.by_traces, unknown), aligned, unknown["duration"])
        gradient = np.empty(models.shape)
        by_name = {
            "origin_time": slopes.by_shift.sum(axis=1),
            "duration": slopes.by_duration,
            "station_time": self._by_station(slopes.by_shift),
            "station_amplitude": self._by_station(by_amplitude),
            "log_noise": found.by_log_noise,
        }
        by_place = _by_place(weights.astype(slopes.by_traces.dtype)[:, None] @ slopes.by_traces, elementary)
        by_name |= {name: by_place[:, axis] for axis, name in enumerate(PLACE)}
        for name, where in self.space.slices().items():
            if name in by_name:
                gradient[:, where] = by_name[name].reshape(len(models), -1)
        if self.source is not None and unknown["source"].size:
            by_tensor = (elementary.traces @ np.swapaxes(slopes.by_traces, 2, 3))[..., 0].astype(float).sum(axis=1)
            by_parameter = by_tensor[:, None] @ self.source(unknown["source"]).slopes
            gradient[:, self._of_source()] = by_parameter[:, 0]
        return found.value, gradient

    def _unpacked(self, models: Floats) -> dict[str, Floats]:
        """Values of all that may be unknown, by name; what is known has its value."""
        n, channels, s = len(models), len(self.record.channels), self.settings
        given = self.space.unpack(models)
        stations = np.zeros((n, len(self.stations)))
        known = {
            "origin_time": np.full(n, s.origin_time if not isinstance(s.origin_time, tuple) else 0.0),
            "duration": np.full(n, s.source.duration if not isinstance(s.source.duration, tuple) else 0.0),
            "station_time": stations,
            "station_amplitude": stations,
            "log_noise": np.zeros((n, channels)),
        }
        return {**known, **given, "source": models[:, self._of_source()]}

    def _of_source(self) -> slice:
        """Entries of the model that the source has."""
        names = [variable.name for variable in self.source.variables] if self.source is not None else []
        if not names:
            return slice(0, 0)
        slices = self.space.slices()
        return slice(slices[names[0]].start, slices[names[-1]].stop)

    def _predict(self, unknown: Mapping[str, Floats], elementary: Elementary) -> tuple[Floats, Aligned]:
        """Weights (n, 6, b) of the elementary seismograms, and the b parts of the prediction."""
        if self.source is None:
            weights = np.broadcast_to(self.parts, (len(elementary.traces), *self.parts.shape))
        else:
            weights = self.source(unknown["source"]).tensors[:, :, None]
        parts = np.swapaxes(weights, 1, 2).astype(elementary.traces.dtype)[:, None] @ elementary.traces
        shift = unknown["origin_time"][:, None]
        if self.settings.station_terms.time is not None:
            shift = shift + unknown["station_time"][:, self.station_of]
        return weights, self.alignment(parts, shift, unknown["duration"])

    def _parts_of(self, models: Floats) -> tuple[dict[str, Floats], Any]:
        unknown = self._unpacked(models)
        _, aligned = self._predict(unknown, self.greens.elementary(_place(unknown)))
        return unknown, self._amplified(aligned.traces, unknown)

    def _amplified(self, traces: Any, unknown: Mapping[str, Floats]) -> Any:
        if self.settings.station_terms.amplitude is None:
            return traces
        factor = np.exp(unknown["station_amplitude"][:, self.station_of])
        return traces * factor.astype(traces.dtype)[:, :, None, None]

    def _by_station(self, by_channel: Floats) -> Floats:
        """Sums (n, stations) of values (n, channels)."""
        made = np.zeros((len(by_channel), len(self.stations)))
        for channel, station in enumerate(self.station_of):
            made[:, station] += by_channel[:, channel]
        return made


def _place(unknown: Mapping[str, Floats]) -> Floats:
    return np.stack([unknown[name] for name in PLACE], axis=1)


def _by_place(by_elementary: Any, elementary: Elementary) -> Floats:
    """Derivatives (n, 3) by place, from those by the elementary seismograms (n, channels, 6, samples)."""
    slopes = np.moveaxis(np.asarray(elementary.slopes), 4, 3)
    by_component = (slopes @ by_elementary[..., None])[..., 0].astype(float)
    return np.asarray(by_component.reshape(len(slopes), -1, 3).sum(axis=1))


def _source(s: SourceSettings) -> Source | None:
    """The source whose tensor is sampled; None where it is integrated out."""
    if s.integrates:
        return None
    if s.kind == "double_couple":
        return DoubleCouple()
    if s.kind in ("explosion", "known"):
        tensor = np.array([1.0, 1, 1, 0, 0, 0]) if s.tensor is None else components(s.tensor, s.convention, "source.tensor")
        return Mechanism(tensor, s.magnitude)
    if s.kind == "full" or s.kind == "deviatoric":
        return Components(s.kind, _typical(s))
    raise ConfigError("source.kind", s.kind, "is not known")


def _parts(s: SourceSettings) -> Floats:
    """Tensors (6, b), N m, whose factors are standard normal."""
    if s.kind == "full" or s.kind == "deviatoric" or s.kind == "explosion":
        return typical_size(s.kind, _typical(s)) * basis(s.kind)
    raise ConfigError("source.kind", s.kind, "cannot be integrated out")


def _typical(s: SourceSettings) -> float:
    if s.typical_magnitude is None:
        raise ConfigError("source.typical_magnitude", None, "is needed")
    return s.typical_magnitude


def _variables(
    s: WaveformSettings, source: Source | None, stations: Sequence[str], made: Prepared
) -> tuple[list[Variable], dict[str, tuple[float, float]]]:
    """Unknowns in the order of the model, and the bounds of each."""
    variables = [Variable(name, "m") for name in PLACE]
    bounds = {name: tuple(side) for name, side in zip(PLACE, made.greens.box.tolist(), strict=True)}
    if isinstance(s.origin_time, tuple):
        variables.append(Variable("origin_time", "s", long_name="origin time after the reference time"))
        bounds["origin_time"] = s.origin_time
    if source is not None:
        variables += source.variables
        bounds |= source.bounds
    if isinstance(s.source.duration, tuple):
        variables.append(Variable("duration", "s", long_name="duration of the source"))
        bounds["duration"] = s.source.duration
    names = {"station": np.array(stations)}
    for key, unit, most in (("time", "s", s.station_terms.time), ("amplitude", "1", s.station_terms.amplitude)):
        if most is not None:
            variables.append(Variable(f"station_{key}", unit, ("station",), names, f"{key} term of stations"))
            bounds[f"station_{key}"] = (-most, most)
    if s.unknown_noise:
        channels = {"channel": np.array([named(channel) for channel in made.record.channels])}
        variables.append(Variable("log_noise", "1", ("channel",), channels, "logarithm of the noise scale"))
        bounds["log_noise"] = (-LOUDEST, LOUDEST)
    return variables, bounds
