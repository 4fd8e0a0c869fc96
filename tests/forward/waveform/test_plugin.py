"""The plugin as a whole: gradients of every unknown, places between samples and nodes, and its answers for one event."""

import tomllib

import numpy as np
import pytest

from vip.diagnose.gradients import gradient_error
from vip.forward.waveform import Waveform
from vip.forward.waveform.synthetic import network, noise, starter_config, tensor, write_channels, write_example
from vip.forward.waveform.tensors import magnitude, matrices

PLACE = np.array([412.7, 538.1, 1127.4])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    directory = tmp_path_factory.mktemp("waveform")
    write_example(directory, 3)
    return directory


def settings(**changed):
    """The starter's ``[forward]`` table with other values; a table of values changes those of a table alone."""
    forward = tomllib.loads(starter_config())["forward"] | {"gradient": True}
    del forward["plugin"]
    for key, value in changed.items():
        forward[key] = forward[key] | value if isinstance(value, dict) and key in forward else value
    return forward


def waveform(folder, **changed):
    return Waveform.from_settings(settings(**changed), folder)


EXACT = {"greens": {"precision": "float64"}}
TERMS = {"station_terms": {"time": 0.02, "amplitude": 0.4}, "unknown_noise": True}
KINDS = {
    "integrated": {},
    "integrated, all terms": TERMS | {"source": {"duration": [0.0, 0.02]}},
    "integrated deviatoric, known time": {"source": {"kind": "deviatoric"}, "origin_time": 0.6133},
    "integrated explosion, band": {"source": {"kind": "explosion"}, "time": {"band": [1.0, 30.0]}},
    "explosion": {"source": {"kind": "explosion", "integrate": False}},
    "double couple, all terms": TERMS | {"source": {"kind": "double_couple", "duration": [0.0, 0.02]}},
    "full, student-t": {"source": {"kind": "full", "integrate": False}, "likelihood": "student-t"},
    "known": {"source": {"kind": "known", "tensor": [[1, 2, 0], [2, 0, 0], [0, 0, 3]], "convention": "NED"}},
}


@pytest.mark.parametrize("kind", KINDS)
def test_gradient(folder, kind):
    """Every entry by itself, near the truth and away from it; a wrong factor in one of them is of order one."""
    forward = waveform(folder, **(KINDS[kind] | EXACT))
    rng = np.random.default_rng(0)
    low, high = (np.concatenate([forward.bounds[v.name][end].ravel() for v in forward.space.variables]) for end in (0, 1))
    models = low + (high - low) * rng.uniform(0.2, 0.8, (2, forward.ndim))
    models[0, :3] = PLACE + np.array([3.0, -2.0, 4.0])
    _, gradient = forward(models)
    steps = 1e-6 * (high - low) * np.eye(forward.ndim)
    moved = np.concatenate([model + sign * steps for model in models for sign in (1, -1)])
    ahead, behind = np.moveaxis(forward(moved)[0].reshape(2, 2, -1), 1, 0)
    difference = (ahead - behind) / (2 * np.diag(steps))
    np.testing.assert_allclose(gradient, difference, rtol=1e-4, atol=1e-6 * np.abs(gradient).max(axis=1, keepdims=True).min())


def test_gradient_in_single_precision(folder):
    forward = waveform(folder)
    model = np.array([[*(PLACE + 5.0), 0.612]])
    assert gradient_error(forward, model, np.random.default_rng(1)) < 1e-2


def test_values_without_gradients_are_the_same(folder):
    models = np.array([[*PLACE, 0.613], [500.0, 400.0, 900.0, 0.55]])
    both = [waveform(folder, gradient=wanted)(models)[0] for wanted in (True, False)]
    np.testing.assert_allclose(*both, rtol=1e-8)


def test_prediction_is_the_wave_that_was_recorded(folder):
    """With the true tensor, the difference from the record is its noise: no shift, scale or order of channels is wrong."""
    known = {"kind": "known", "tensor": matrices(tensor()).tolist(), "magnitude": float(magnitude(tensor()))}
    forward = waveform(folder, source=known, **EXACT)
    model = np.array([[*PLACE, 0.6133]])
    residual = (forward.observed - forward.simulate(model)[0]) / forward.sigma
    assert abs(np.sqrt((residual**2).mean()) - 1) < 0.05


def test_continuous_in_place(folder):
    """Log-likelihoods along a line are smooth between any nodes and samples: third differences are tiny, and the top inside."""
    forward = waveform(folder, gradient=False, **EXACT)
    along = np.linspace(-6, 6, 121)
    models = np.array([[*PLACE, 0.6133]]) + along[:, None] * np.array([0.6, 0.0, 0.8, 0.0])
    value = forward(models)[0]
    assert 0 < value.argmax() < 120
    assert np.abs(np.diff(value, 3)).max() < 1e-3 * np.abs(np.diff(value)).max()


def test_tensors_are_drawn_around_the_truth(folder):
    """At the true place and time, draws have the mean and the spread that the noise leaves."""
    forward = waveform(folder)
    drawn = forward.tensors(np.tile([*PLACE, 0.6133], (400, 1)), np.random.default_rng(0))
    z = (drawn.mean(axis=0) - tensor()) / drawn.std(axis=0)
    assert np.abs(z).max() < 4
    assert np.linalg.norm(drawn.mean(axis=0) - tensor()) < 0.1 * np.linalg.norm(tensor())


def test_left_out_channels_are_named(folder, tmp_path):
    """A dead, a clipped and a broken trace cost these channels alone; the others are read as before."""
    traces = np.load(folder / "traces.npy")
    traces[1] = 0.0
    traces[2] = np.clip(traces[2], None, 0.1 * traces[2].max())
    traces[6, 17] = np.nan
    np.save(tmp_path / "traces.npy", traces)
    write_channels(network(), tmp_path / "channels.csv")
    forward = Waveform.from_settings(settings(), tmp_path)
    words = "; ".join(forward.record.left_out)
    assert "OB1 Z: is dead" in words
    assert "OB1 N: is clipped at" in words
    assert "OB2 N: has 1 sample that is not finite" in words
    assert len(forward.record.channels) == 13
    assert dict(forward.facts())["channels left out"] == words


def test_noise_is_that_of_its_channels():
    """The synthetic noise has the standard deviation and the colour that are asked for."""
    clean = np.ones((16, 20_000))
    made = noise(network(), clean, np.random.default_rng(0))
    np.testing.assert_allclose(made.std(axis=1), 0.056, rtol=0.05)
    assert np.corrcoef(made[0, 1:], made[0, :-1])[0, 1] == pytest.approx(0.6, abs=0.03)
