"""`vip greens`: from files to a table, and what is said of files that cannot be used."""

import shutil
import subprocess
import sys

import numpy as np
import pytest

from vip.errors import ConfigError
from vip.forward.waveform.channels import read_channels
from vip.forward.waveform.greens import open_table

CONFIG = """[greens]
earth = "layers.csv"
spacing = 10.0
extent = [200, 200, 220]
receivers = "receivers.csv"
box = [[60, 140], [60, 140], [100, 160]]
frequency = 14.0
dt = 0.005
duration = 0.15
layer = 5
"""
LAYERS = "depth,vp,vs,density\n0,1500,0,1000\n50,2000,900,2000\n"
RECEIVERS = "station,channel,kind,x,y,depth,azimuth,dip\nA,HDH,pressure,53,112,20,,\nB,HHZ,velocity,172,97,88,0,-90\n"


def vip(folder, *arguments):
    """The command, as `vip` calls it."""
    code = (
        "import sys; from importlib.metadata import EntryPoint; from vip.cli import main;"
        "from vip.cli.plugged import add_command;"
        "e = EntryPoint('greens', 'vip.forward.waveform.command:greens', 'vip.commands');"
        "main.add_commands = lambda app, taken: add_command(app, e, '');"
        "sys.argv = ['vip', 'greens', *sys.argv[1:]]; main.main()"
    )
    return subprocess.run([sys.executable, "-c", code, *arguments], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("greens")
    for name, text in (("greens.toml", CONFIG), ("layers.csv", LAYERS), ("receivers.csv", RECEIVERS)):
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def table(inputs):
    done = vip(inputs, "greens.toml", "-o", "table.h5")
    assert done.returncode == 0, done.stderr
    assert "A HDH (pressure): node each" in done.stdout
    return inputs / "table.h5"


def test_channels(table):
    first, second = open_table(table).channels
    assert first == ("A", "HDH", "pressure", (53, 112, 20), (0, 0, 0))
    np.testing.assert_allclose(second.direction, (0, 0, -1), atol=1e-12)


def test_trimmed_and_merged_it_is_the_same(inputs, table):
    for station in "AB":
        assert vip(inputs, "trim", "table.h5", "-o", f"{station}.h5", "--station", station).returncode == 0
    assert vip(inputs, "merge", "A.h5", "B.h5", "-o", "both.h5").returncode == 0
    assert (inputs / "both.h5").read_bytes() == table.read_bytes()


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        (
            "frequency = 14.0",
            "frequency = 40.0",
            "greens.toml: greens.frequency: 40 Hz: 2.2 nodes in the shortest wavelength of S",
        ),
        ("dt = 0.005", "dtt = 0.005", "unknown key; did you mean 'dt'?"),
        ("[60, 140], [100", "[140, 60], [100", "greens.toml: greens.box: y from 140 to 60: must grow"),
        ("layers.csv", "nowhere.csv", "nowhere.csv: cannot be read: No such file or directory"),
        ("[greens]", "[green]", "greens.toml: greens: is missing: expected a table [greens], or [forward] of plugin waveform"),
    ],
)
def test_configurations_that_are_refused(inputs, tmp_path, old, new, text):
    for name in ("layers.csv", "receivers.csv"):
        shutil.copy(inputs / name, tmp_path)
    (tmp_path / "greens.toml").write_text(CONFIG.replace(old, new))
    done = vip(tmp_path, "greens.toml", "-o", "table.h5")
    assert done.returncode == 2
    assert text in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "table.h5").exists()


def test_what_is_there_is_not_replaced(inputs, table):
    done = vip(inputs, "greens.toml", "-o", "table.h5")
    assert done.returncode == 1
    assert "table.h5: exists; choose another --output or use --overwrite" in done.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (RECEIVERS.replace("-90", "91"), "line 3, column dip: 91.0: must be from -90 (up) to 90 (down) degrees"),
        (RECEIVERS + "A,HDH,pressure,1,2,3,,\n", "line 4, column channel: A HDH: is there twice"),
        (RECEIVERS.replace("172", "east"), "line 3, column x: east"),
        (RECEIVERS.replace("0,-90", "0,"), "line 3, column dip"),
        (RECEIVERS.split("\n")[0] + "\n", "rows: 0: expected one for each channel"),
    ],
)
def test_receivers_that_are_refused(tmp_path, text, message):
    file = tmp_path / "receivers.csv"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_channels(file)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
