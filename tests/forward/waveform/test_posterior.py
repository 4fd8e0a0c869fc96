"""Posteriors of one event against a dense grid, and calibration over many events."""

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.special import logsumexp
from scipy.stats import binom

import vip
from vip.forward.waveform import Waveform
from vip.forward.waveform.elementary import Channel
from vip.forward.waveform.fullspace import FullSpace
from vip.forward.waveform.synthetic import write_channels
from vip.forward.waveform.tensors import basis, scalar_moment
from vip.methods import named

BOX = np.array([[0.0, 400.0], [0.0, 400.0], [300.0, 700.0]])
PLACES = [(40.0, 60.0), (350.0, 30.0), (300.0, 380.0), (90.0, 310.0)]
EARTH = {"vp": 3000.0, "vs": 1700.0, "density": 2200.0, "width": 0.012}
DT, SAMPLES, TIMES = 0.008, 60, (0.1, 0.14)
KINDS = {"pressure": (0.0, 0.0, 0.0), "velocity": (0.0, 0.0, -1.0)}
TYPICAL = 0.5


def channels():
    return [Channel(f"S{i}", kind[0], kind, (*place, 0.0), KINDS[kind]) for i, place in enumerate(PLACES) for kind in KINDS]


def settings(source, noise, **changed):
    return {
        "data": "traces.npy",
        "channels": "channels.csv",
        "origin_time": list(TIMES),
        "time": {"dt": DT},
        "box": {name: side.tolist() for name, side in zip(("x", "y", "depth"), BOX, strict=True)},
        "greens": {"kind": "homogeneous", **EARTH},
        "source": source,
        "noise": noise,
        "gradient": True,
    } | changed


def traces(place, origin_time, tensor):
    """Clean traces: elementary seismograms whose first sample is at the reference time."""
    greens = FullSpace(**EARTH, channels=channels(), box=BOX, dt=DT, samples=SAMPLES, start=-origin_time, precision="float64")
    return tensor @ greens.elementary(np.asarray(place)[None]).traces[0]


def uniform(forward, names):
    return {name: vip.priors.Uniform(*(np.ravel(end) for end in forward.bounds[name])) for name in names}


@pytest.fixture(scope="module")
def one_event(tmp_path_factory):
    """An explosion of known size, with unknown place and origin time; strong noise, so that the posterior is wide and bent."""
    folder = tmp_path_factory.mktemp("event")
    rng = np.random.default_rng(4)
    clean = traces((231.3, 187.9, 512.4), 0.1187, scalar_moment(TYPICAL) * np.array([1, 1, 1, 0, 0, 0]) * np.sqrt(2 / 3))
    scale = np.where(np.arange(8) % 2, np.abs(clean[1::2]).max(), np.abs(clean[::2]).max())[:, None]
    np.save(folder / "traces.npy", (clean / scale + 0.15 * rng.standard_normal(clean.shape)) * scale)
    write_channels(channels(), folder / "channels.csv")
    forward = Waveform.from_settings(settings({"kind": "explosion", "magnitude": TYPICAL}, {"relative": 0.15}), folder)
    return forward, grid_moments(forward)


def grid_moments(forward):
    """Means, standard deviations and log-evidence by a dense grid of four unknowns.

    Its axes are turned and scaled such that the posterior is about round: depth and time, which trade off, are narrow across.
    """
    start = forward.start(400, np.random.default_rng(0))
    root = np.linalg.cholesky(np.cov(start.T))
    nodes = np.linspace(-4.5, 4.5, 13)
    z = np.stack(np.meshgrid(*[nodes] * 4, indexing="ij"), axis=-1).reshape(-1, 4)
    models = start.mean(axis=0) + z @ root.T
    low, high = np.append(BOX[:, 0], TIMES[0]), np.append(BOX[:, 1], TIMES[1])
    inside = ((models >= low) & (models <= high)).all(axis=1)
    value = np.full(len(models), -np.inf)
    value[inside] = forward._values(models[inside])
    weight = np.exp(value - value.max())
    weight /= weight.sum()
    mean = weight @ models
    cell = (nodes[1] - nodes[0]) ** 4 * np.linalg.det(root)
    return mean, np.sqrt(weight @ (models - mean) ** 2), logsumexp(value) + np.log(cell / np.prod(high - low))


METHODS = {
    "svgd": {"particles": 150, "iterations": 60, "optimizer": "adam", "step_size": 0.1, "metric": "variance", "widening": 3.0},
    "hmc": {"particles": 60, "iterations": 80, "leapfrog_steps": 6},
    "nested": {"particles": 200},
}


@pytest.mark.parametrize("method", METHODS)
def test_posterior_is_that_of_the_grid(one_event, method):
    """Means within 0.1 standard deviation and standard deviations within 10 %, of a dense grid; and the evidence."""
    forward, (mean, spread, evidence) = one_event
    forward.has_gradient = method != "nested"
    result = vip.invert(forward, uniform(forward, forward.bounds), named(method)(**METHODS[method]), seed=2)
    samples = result.equal(4000).astype(float)
    np.testing.assert_array_less(np.abs(samples.mean(axis=0) - mean) / spread, 0.1)
    np.testing.assert_allclose(samples.std(axis=0), spread, rtol=0.1)
    if method == "nested":
        found, error = result.log_evidence
        assert abs(found - evidence) < 3 * error + 0.05


NEAR, NEAR_TIMES = {"x": [180.0, 220.0], "y": [180.0, 220.0], "depth": [480.0, 520.0]}, [0.115, 0.125]
COLOUR, NOISE, BEFORE = 0.5, {"pressure": 12.0, "velocity": 6e-6}, 250
DRAWS = 2000
"""Draws from the prior, which importance weights make to samples of a posterior that is not much narrower."""


def ranks(folder, events):
    """Shares of the samples below the truth (events, 10): place, origin time, and the six components of the tensor.

    Each event has a place and tensor from the prior, and coloured noise that is only known from the record before it.
    """
    write_channels(channels(), folder / "channels.csv")
    kinds = [channel.kind for channel in channels()]
    low, high = np.array([*NEAR.values(), NEAR_TIMES]).T
    times = {"dt": DT, "start": -BEFORE * DT, "window": [0.12, DT * (SAMPLES - 1)]}
    noise = {"window": [-BEFORE * DT, 0.12]}
    wanted = settings(
        {"kind": "full", "typical_magnitude": TYPICAL}, noise, box=NEAR, time=times, gradient=False, origin_time=NEAR_TIMES
    )
    made = []
    for event in range(events):
        rng = np.random.default_rng(event)
        truth = rng.uniform(low, high)
        tensor = basis("full") @ rng.standard_normal(6) * scalar_moment(TYPICAL) * np.sqrt(2 / 6)
        whole = lfilter([np.sqrt(1 - COLOUR**2)], [1, -COLOUR], rng.standard_normal((8, 50 + BEFORE + SAMPLES)))[:, 50:]
        whole *= np.array([NOISE[kind] for kind in kinds])[:, None]
        whole[:, BEFORE:] += traces(truth[:3], truth[3], tensor)
        np.save(folder / "traces.npy", whole)
        forward = Waveform.from_settings(wanted, folder)
        samples = rng.uniform(low, high, (DRAWS, 4))
        value = forward._values(samples)
        weight = np.exp(value - logsumexp(value))
        chosen = rng.choice(DRAWS, 400, p=weight)
        tensors = forward.tensors(samples[chosen], rng)
        made.append([*weight @ (samples < truth), *(tensors < tensor).mean(axis=0)])
    return np.array(made)


@pytest.mark.parametrize("events", [16, pytest.param(300, marks=pytest.mark.full)])
def test_calibration(tmp_path, events):
    """Central regions of 50, 90 and 95 % hold the truth that often, within the range of a binomial count at 1 in 1000.

    All ten numbers are counted together as if each event gave two independent ones, since place, time and tensor are not.
    """
    found = ranks(tmp_path, events)
    for share in (0.5, 0.9, 0.95):
        held = (np.abs(found - 0.5) < share / 2).mean()
        low, high = binom(2 * events, share).ppf([0.0005, 0.9995]) / (2 * events)
        assert low <= held <= high, (share, held)
