"""Arrays and tables of channels: what is read, and every fault in one line that names file, key, value and remedy."""

import tomllib

import h5py
import numpy as np
import pandas as pd
import pytest

import vip
from vip.errors import ConfigError
from vip.forward.waveform import Waveform
from vip.forward.waveform.channels import read_channels
from vip.forward.waveform.synthetic import network, starter_config, write_channels, write_example
from vip.forward.waveform.tensors import components, matrices

FILES = ("traces.npy", "channels.csv", "truth.csv")


@pytest.fixture
def folder(tmp_path):
    write_example(tmp_path, 1)
    return tmp_path


def message(folder, *changes):
    """The error of a configuration with parts of its text replaced."""
    config = folder / "waveform.toml"
    text = config.read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    config.write_text(text)
    with pytest.raises(ConfigError) as fault:
        vip.load_problem(config)
    assert "\n" not in str(fault.value)
    return str(fault.value)


def edited(folder, line, column, value):
    """Write another value into the table of channels; lines are counted from 1, the header's."""
    table = pd.read_csv(folder / "channels.csv", dtype=str, keep_default_na=False)
    table.loc[line - 2, column] = value
    table.to_csv(folder / "channels.csv", index=False)


def test_channels_are_read_back(tmp_path):
    channels = network()
    write_channels(channels, tmp_path / "channels.csv")
    for found, wanted in zip(read_channels(tmp_path / "channels.csv"), channels, strict=True):
        assert found[:4] == wanted[:4]
        np.testing.assert_allclose(found.direction, wanted.direction, atol=1e-5)


def test_hdf5_is_as_npy(folder):
    with h5py.File(folder / "traces.h5", "w") as store:
        store["data"] = np.load(folder / "traces.npy")
    forward = tomllib.loads(starter_config())["forward"]
    del forward["plugin"]
    both = [Waveform.from_settings(forward | {"data": name}, folder) for name in ("traces.npy", "traces.h5")]
    np.testing.assert_array_equal(both[0].observed, both[1].observed)


def test_vertical_channels_up_and_down_are_opposite(folder):
    """A vertical channel with dip +90 predicts the negative of one with -90."""
    forward = tomllib.loads(starter_config())["forward"]
    del forward["plugin"]
    up = Waveform.from_settings(forward, folder)
    edited(folder, 3, "dip", "90")
    down = Waveform.from_settings(forward, folder)
    place = np.array([[400.0, 500.0, 1100.0]])
    np.testing.assert_allclose(down.greens.elementary(place)[0][0, 1], -up.greens.elementary(place)[0][0, 1], rtol=1e-6)


@pytest.mark.parametrize(
    ("line", "column", "value", "words"),
    [
        (3, "dip", "120", ("channels.csv", "line 3, column dip", "120.0", "-90 (up) to 90 (down)")),
        (3, "kind", "speed", ("channels.csv", "line 3, column kind", "speed", '"velocity"')),
        (3, "x", "here", ("channels.csv", "line 3, column x", "here", "finite number")),
        (3, "y", "5e6", ("channels.csv", "line 3, column y", "5000000.0", "must be in m")),
        (3, "channel", "H", ("channels.csv", "line 3, column channel", "OB1 H", "is there twice")),
        (3, "depth", "600", ("station OB1", "600.0", "inside the box of events", "smaller")),
    ],
)
def test_faults_of_channels(folder, line, column, value, words):
    edited(folder, line, column, value)
    found = message(folder)
    assert all(word in found for word in words), found


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ([("dt = 0.008", "# dt = 0.008")], ("forward.time.dt", "None", "sampling interval")),
        ([("window = [0.5, 1.9]", "window = [0.5, 3.0]")], ("time.window", "[0.5, 3.0]", "the data are from -2 to 2.192 s")),
        ([("window = [0.5, 1.9]", "window = [1.9, 0.5]")], ("time.window", "the second must be larger")),
        ([("window = [0.5, 1.9]", "window = [0.4, 0.5]")], ("station OB1, channel H", "ends at 0.496 s", "P arrives")),
        ([("window = [0.5, 1.9]", "window = [1.7, 2.1]")], ("begins at 1.704 s", "P arrives", "begin earlier")),
        ([("window = [-2.0, 0.5]", "window = [-2.0, 0.8]")], ("noise.window", "[-2.0, 0.8]", "end it before")),
        ([("coloured = true", "sigma = 3.0")], ("noise", "['window', 'sigma']", "give one of")),
        ([("vs = 1700.0", "vs = 2700.0")], ("greens.vs", "2700.0", "below vp/1.155")),
        ([("width = 0.012", "width = 0.002")], ("greens.width", "0.002", "at least 0.012 s")),
        ([('kind = "full"  ', 'kind = "known" ')], ("source.tensor", "None", 'belongs to kind = "known"')),
        (
            [('kind = "full"  ', 'kind = "known" \ntensor = [[1, 2, 3], [2.5, 5, 6], [3, 6, 9]]#')],
            ("source.tensor", "row 1, column 2 is 2, row 2, column 1 is 2.5", "symmetric"),
        ),
        ([("typical_magnitude = 0.5", "")], ("source.typical_magnitude", "None", "magnitude of a typical event")),
        ([('likelihood = "gaussian"', 'likelihood = "student-t"')], ("likelihood", "student-t", "integrate = false")),
        ([("origin_time = [0.5, 0.7]", "origin_time = [0.7, 0.5]")], ("origin_time", "the second must be larger")),
        ([('name = "nested"', 'name = "hmc"'), ("particles = 200", "")], ("algorithm.name", "hmc", "needs a gradient")),
        ([('"traces.npy"', '"none.npy"')], ("none.npy", "cannot be read")),
    ],
)
def test_faults_of_the_configuration(folder, changes, words):
    found = message(folder, *changes)
    assert all(word in found for word in ("waveform.toml", *words) if word), found


def test_number_of_channels(folder):
    np.save(folder / "traces.npy", np.load(folder / "traces.npy")[:-1])
    found = message(folder)
    assert "traces.npy" in found
    assert "shape (15, 525)" in found
    assert "channels.csv has 16 channels" in found


def test_all_dead(folder):
    np.save(folder / "traces.npy", np.zeros((16, 525)))
    assert "no channel can be used" in message(folder)


def test_conventions_are_one_tensor():
    """A tensor in north, east, down and in up, south, east (r, theta, phi) is the same in the model's axes, and goes back."""
    ned = np.array([[1.0, 0.2, -0.4], [0.2, -2.0, 0.7], [-0.4, 0.7, 0.5]])
    n, e, d, ne, nd, ed = ned[0, 0], ned[1, 1], ned[2, 2], ned[0, 1], ned[0, 2], ned[1, 2]
    use = [[d, nd, -ed], [nd, n, -ne], [-ed, -ne, e]]  # Aki & Richards (2002), box 4.4
    found = components(ned, "NED", "t")
    np.testing.assert_allclose(found, [e, n, d, nd, ed, ne])
    np.testing.assert_allclose(components(use, "USE", "t"), found)
    np.testing.assert_allclose(components(matrices(found), "xyz", "t"), found)
    np.testing.assert_allclose(matrices(found, "NED"), ned)
    np.testing.assert_allclose(matrices(found, "USE"), use)
