"""An event located with a table: what was made with the table is found again, and a table that does not fit is refused."""

import subprocess
import sys

import numpy as np
import pytest

import vip
from vip.errors import ConfigError
from vip.forward.waveform.channels import write_channels
from vip.forward.waveform.earth import Earth
from vip.forward.waveform.elementary import Channel
from vip.forward.waveform.greens import Plan, fill

H, NODES = 10.0, (21, 21, 26)
BOX = np.array([[60.0, 140.0], [60.0, 140.0], [120.0, 220.0]])
PLACE, ORIGIN_TIME = np.array([88.0, 113.0, 171.0]), 0.1
TENSOR = 1e9 * np.array([1.0, 0.2, -0.6, 0.3, 0.5, -0.4])
ACROSS = ((30.0, 30.0), (170.0, 40.0), (100.0, 175.0))
CHANNELS = tuple(
    channel
    for i, (x, y) in enumerate(ACROSS)
    for channel in (
        Channel(f"S{i}", "HDH", "pressure", (x, y, 40.0), (0.0, 0.0, 0.0)),
        Channel(f"S{i}", "HHZ", "velocity", (x, y, 80.0), (0.0, 0.0, -1.0)),
    )
)
CONFIG = """
seed = 3
[forward]
plugin = "waveform"
data = "traces.npy"
channels = "channels.csv"
origin_time = [0.05, 0.15]
gradient = true
[forward.time]
dt = 0.004
start = 0.0
[forward.box]
x = [60.0, 140.0]
y = [60.0, 140.0]
depth = [120.0, 220.0]
[forward.greens]
kind = "table"
file = "greens.h5"
[forward.source]
kind = "full"
typical_magnitude = -0.2
[forward.noise]
relative = 0.03
[algorithm]
name = "nested"
particles = 60
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Table, data with noise, and configuration."""
    folder = tmp_path_factory.mktemp("event")
    z = np.arange(NODES[2]) * H * np.ones(NODES)
    vp = 2000 + 2 * z
    vp[..., :6] = 1500
    vs, density = np.where(vp == 1500, 0, vp / 1.8), np.where(vp == 1500, 1000.0, 2200.0)
    earth = Earth(*(a.astype(np.float32) for a in (vp, vs, density)), np.full(3, H), np.zeros(3))
    plan = Plan(earth, CHANNELS, BOX, frequency=16.0, dt=0.004, duration=0.3, tolerance=0.003, every=2, layer=6)
    table = fill(plan, folder / "greens.h5")
    clean = TENSOR @ table.elementary(PLACE[None]).traces[0].astype(float)
    late = round((ORIGIN_TIME + table.start) / 0.004)
    traces = np.zeros((len(CHANNELS), 110))
    part = clean[:, max(0, -late) :]
    n = min(part.shape[1], 110 - max(0, late))
    traces[:, max(0, late) : max(0, late) + n] = part[:, :n]
    kinds = np.array([channel.kind for channel in CHANNELS])
    peaks = np.array([np.abs(traces[kinds == kind]).max() for kind in kinds])
    traces += 0.03 * peaks[:, None] * np.random.default_rng(2).standard_normal(traces.shape)
    np.save(folder / "traces.npy", traces)
    write_channels(CHANNELS, folder / "channels.csv")
    (folder / "event.toml").write_text(CONFIG)
    return folder


def test_the_gradient_is_that_of_the_value(folder):
    problem = vip.load_problem(folder / "event.toml")
    model = np.append(PLACE + np.array([3.1, -4.2, 5.3]), ORIGIN_TIME + 0.003)
    _, gradient = problem.forward(model[None])
    rng = np.random.default_rng(0)
    for _ in range(3):
        way = rng.standard_normal(4) * [1.0, 1.0, 1.0, 1e-3]
        values, _ = problem.forward(np.stack([model + 0.01 * way, model - 0.01 * way]))
        assert gradient[0] @ way == pytest.approx((values[0] - values[1]) / 0.02, rel=0.02)


def test_the_event_is_found(folder):
    result = vip.run(vip.load_problem(folder / "event.toml"), output=folder / "run")
    samples = result.equal()
    mean, sd = samples.mean(axis=0), samples.std(axis=0)
    assert (np.abs(mean[:3] - PLACE) < 4 * sd[:3] + 1e-9).all()
    assert (sd[:3] < 15).all()
    assert abs(mean[3] - ORIGIN_TIME) < 4 * sd[3]
    tensors = result.problem.forward.tensors(samples[:200], np.random.default_rng(0))
    assert (np.abs(tensors.mean(axis=0) - TENSOR) < 5 * tensors.std(axis=0)).all()


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("event.toml", "greens.h5", "none.h5", r"greens\.file: .*none\.h5: there is no such file; `vip greens"),
        ("event.toml", "dt = 0.004", "dt = 0.005", r"greens\.h5: dt: 0\.004: the data have 0\.005 s"),
        ("event.toml", "x = [60.0, 140.0]", "x = [50.0, 140.0]", r"box\.x: \[50\.0, 140\.0\]: the table has 60 to 140 m"),
        ("channels.csv", "S0,HHZ", "S9,HHZ", r"station S9, channel HHZ: is not in the table"),
        ("channels.csv", "S0,HDH,pressure,30", "S0,HDH,pressure,33", r"station S0, channel HDH: .*3 m away"),
        ("channels.csv", ",80,0.0,-90.0", ",80,0.0,90.0", r"station S0, channel HHZ: .*azimuth or dip differ"),
        (
            "channels.csv",
            "S0,HDH,pressure,30,30,40,,",
            "S0,HDH,velocity,30,30,40,0,0",
            r"HDH: velocity: the table has pressure",
        ),
    ],
)
def test_a_table_that_does_not_fit_is_one_line(folder, tmp_path, file, old, new, message):
    for name in ("traces.npy", "channels.csv", "event.toml", "greens.h5"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    text = (tmp_path / file).read_text()
    assert old in text
    (tmp_path / file).write_text(text.replace(old, new, 1))
    with pytest.raises(ConfigError, match=message) as caught:
        vip.load_problem(tmp_path / "event.toml")
    assert "\n" not in str(caught.value)


def test_a_truncated_table_is_one_line(folder, tmp_path):
    for name in ("traces.npy", "channels.csv", "event.toml", "greens.h5"):
        content = (folder / name).read_bytes()
        (tmp_path / name).write_bytes(content[: len(content) // 2] if name == "greens.h5" else content)
    with pytest.raises(ConfigError, match=r"greens\.h5"):
        vip.load_problem(tmp_path / "event.toml")


def test_the_configuration_of_a_run_fills_its_own_table(folder, tmp_path):
    for name in ("traces.npy", "channels.csv"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "layers.csv").write_text("depth,vp,vs,density\n0,1500,0,1000\n60,2200,1200,2200\n")
    fill = (
        '[forward.greens.fill]\nearth = "layers.csv"\nspacing = 10.0\nextent = [200, 200, 250]\nfrequency = 14.0\nlayer = 5\n'
    )
    config = tmp_path / "event.toml"
    config.write_text(CONFIG.replace("[forward.source]", f"{fill}[forward.source]"))
    with pytest.raises(ConfigError, match=r"greens\.h5: there is no such file; `vip greens` with this configuration makes it"):
        vip.load_problem(config)
    code = "from vip.forward.waveform.command import greens; greens()"
    done = subprocess.run([sys.executable, "-c", code, config], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    forward = vip.load_problem(config).forward
    assert forward.greens.channels == forward.record.channels
    assert np.isfinite(forward(np.array([[100.0, 100.0, 150.0, 0.1]]))[0]).all()
    config.write_text(config.read_text().replace("frequency = 14.0", "frequency = 50.0"))
    done = subprocess.run([sys.executable, "-c", code, config, "--overwrite"], capture_output=True, text=True, check=False)
    assert "event.toml: forward.frequency: 50 Hz" in str(done.stderr) or "50 Hz" in done.stderr
