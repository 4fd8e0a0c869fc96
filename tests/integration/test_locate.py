"""`vip locate`: from picks to a catalogue, with faults, an interruption, and formats of others."""

import contextlib
import json
import os
import pty
import re
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from vip.forward.hypocenter.synthetic import write_example

pytest.importorskip("obspy", reason="the extra 'seismology' is not installed")


def vip(folder, *arguments):
    command = [sys.executable, "-m", "vip", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    folder = tmp_path_factory.mktemp("example")
    write_example(folder, seed=1)
    return folder


@pytest.fixture
def folder(example, tmp_path):
    shutil.copytree(example, tmp_path, dirs_exist_ok=True)
    return tmp_path


FILES = ("picks.csv", "--stations", "stations.csv", "--velocity", "velocity.csv")


def test_a_catalogue_as_quakeml(folder):
    from obspy import read_events

    done = vip(folder, "locate", *FILES, "-o", "catalogue.xml")
    assert done.returncode == 0, done.stderr
    events, truth = read_events(folder / "catalogue.xml"), pd.read_csv(folder / "truth.csv")
    assert len(events) == len(truth) == 20
    for event, longitude in zip(events, truth["longitude"], strict=True):
        origin = event.preferred_origin() or event.origins[0]
        assert abs(origin.longitude - longitude) < 0.02
        assert origin.origin_uncertainty.confidence_ellipsoid.semi_major_axis_length > 0
        assert len(origin.arrivals) == len(event.picks) > 30


def test_events_with_faults_are_named_and_left_out(folder):
    lines = (folder / "picks.csv").read_text().splitlines()
    lines[1] = lines[1].replace("ev001,S01", "ev001,XX9")
    lines = [line for i, line in enumerate(lines) if not line.startswith("ev020") or i > len(lines) - 3]
    (folder / "picks.csv").write_text("\n".join(lines))
    done = vip(folder, "locate", *FILES, "-o", "catalogue.csv")
    assert done.returncode == 0, done.stderr
    assert "18 events" in done.stdout
    reported = " ".join((done.stdout + done.stderr).split())
    assert "ev001" in reported
    assert "XX9" in reported
    assert "ev020" in reported
    assert len(pd.read_csv(folder / "catalogue.csv")) == 18


def test_workers_locate_the_same_catalogue(folder):
    """To the last character: each event knows nothing of how particles are shared."""
    for kind in ("serial", "local"):
        done = vip(folder, "locate", *FILES, "-o", f"{kind}.csv", "--dispatch", kind)
        assert done.returncode == 0, done.stderr
    assert (folder / "serial.csv").read_bytes() == (folder / "local.csv").read_bytes()


def test_interrupted_it_goes_on_to_the_same_catalogue(folder):
    assert vip(folder, "locate", *FILES, "-o", "whole.csv").returncode == 0
    command = [sys.executable, "-m", "vip", "locate", *FILES, "-o", "killed.csv"]
    driver = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    metrics = folder / "killed.run" / "metrics.jsonl"
    try:
        while driver.poll() is None and not (metrics.is_file() and metrics.read_text().count("\n") > 20):
            pass
    finally:
        driver.kill()
        driver.wait()
    assert not (folder / "killed.csv").exists()
    again = vip(folder, "locate", *FILES, "-o", "killed.csv")
    assert again.returncode == 0, again.stderr
    assert (folder / "killed.csv").read_text() == (folder / "whole.csv").read_text()
    iterations = [json.loads(line)["iteration"] for line in metrics.read_text().splitlines()]
    assert iterations == list(range(1, 121))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((*FILES, "-o", "catalogue.txt"), "expected a name that ends in .xml or .csv"),
        (("none.csv", *FILES[1:], "-o", "c.csv"), "none.csv"),
        ((*FILES, "-o", "c.csv", "--depth", "10", "2"), "region.depth"),
        ((*FILES, "-o", "c.csv", "--likelihood", "l2"), "forward.likelihood"),
        ((*FILES, "-o", "truth.csv"), "truth.csv: exists"),
        ((*FILES, "-o", "c.csv", "--depth", "0", "30000"), "region.depth: (0.0, 30000.0): must be in km"),
        (("stations.csv", *FILES[1:], "-o", "c.csv"), "there is no column 'event'"),
        (("picks.csv", "--stations", "velocity.csv", *FILES[3:], "-o", "c.csv"), "there is no column 'station'"),
        ((*FILES[:3], "--velocity", "none.nc", "-o", "c.csv"), "none.nc: cannot be read"),
        ((*FILES[:3], "--velocity", "metres.csv", "-o", "c.csv"), "is it in m/s?"),
        (
            ("picks.csv", "--stations", "others.csv", *FILES[3:], "-o", "c.csv"),
            "no event can be located; the first: event ev001",
        ),
        (("picks.csv", "--stations", "km.csv", *FILES[3:], "-o", "c.xml"), "QuakeML needs degrees"),
    ],
)
def test_wrong_use_is_one_line(folder, arguments, message):
    """And leaves nothing that stands in the way of the next try."""
    velocity, stations = (pd.read_csv(folder / f"{name}.csv") for name in ("velocity", "stations"))
    (velocity * [1, 1000, 1000]).to_csv(folder / "metres.csv", index=False)
    stations.assign(station="X" + stations["station"]).to_csv(folder / "others.csv", index=False)
    in_km = stations.assign(y=100 * stations["latitude"] - 3360, x=90 * stations["longitude"] + 10500)
    in_km.drop(columns=["latitude", "longitude"]).to_csv(folder / "km.csv", index=False)
    done = vip(folder, "locate", *arguments)
    assert done.returncode != 0
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") <= 2
    assert not (folder / "c.run").exists()
    if arguments[-1] != "c.xml":  # what it says is right but for the suffix
        assert not (folder / "c.toml").exists()


def test_after_a_failed_try_the_command_may_change(folder):
    without = pd.read_csv(folder / "picks.csv").drop(columns="sigma")
    without[without["event"] < "ev003"].to_csv(folder / "picks.csv", index=False)
    failed = vip(folder, "locate", *FILES, "-o", "c.csv")
    assert "no sigma; give it (s), or a default for phase P (`sigma`; --sigma of `vip locate`)" in failed.stderr
    done = vip(folder, "locate", *FILES, "-o", "c.csv", "--sigma", "0.1")
    assert done.returncode == 0, done.stderr
    assert "c.csv: 2 events; more" in done.stdout


def test_on_a_terminal_messages_stand_above_the_bar(folder):
    """A station that nobody knows, and the bar from before the first iteration to the last."""
    lines = (folder / "picks.csv").read_text().splitlines()
    lines[1] = lines[1].replace("ev001,S01", "ev001,XX9")
    (folder / "picks.csv").write_text("\n".join(line for line in lines if line < "ev004" or line.startswith("event")))
    outer, inner = pty.openpty()
    command = [sys.executable, "-m", "vip", "locate", *FILES, "-o", "c.csv"]
    driver = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=inner, env=os.environ | {"COLUMNS": "80"})
    os.close(inner)
    shown = b""
    with contextlib.suppress(OSError):  # Linux says so at the end
        while part := os.read(outer, 4096):
            shown += part
    os.close(outer)
    reported = driver.communicate(timeout=60)[0].decode()
    assert "c.csv: 2 events, 1 left out; more: vip report c.run" in reported
    lines = [re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", line) for line in shown.decode().replace("\r", "\n").splitlines()]
    message = next(i for i, line in enumerate(lines) if line.startswith("vip: left out: event ev001"))
    starting = next(i for i, line in enumerate(lines) if line.endswith("starting"))
    assert message < starting
    assert any(re.search(r"120/120 log-posterior .* ms/iter done \d\d:\d\d:\d\d", line) for line in lines)


def test_files_are_those_of_nonlinloc(folder):
    done = vip(folder, "run", "hypocenter.toml")
    assert done.returncode == 0, done.stderr
    done = vip(folder, "export", "runs/hypocenter", "--format", "nonlinloc", "-o", "located")
    assert done.returncode == 0, done.stderr
    files = sorted((folder / "located").glob("*.scat"))
    assert len(files) == len(list((folder / "located").glob("*.hyp"))) == 20
    numbers = np.fromfile(files[0], "<f4").reshape(-1, 4)
    assert numbers.shape == (151, 4)
    assert numbers[0, :1].view("<i4")[0] == 150
    from obspy import read_events

    event, truth = read_events(folder / "located" / "ev001.hyp", format="NLLOC_HYP")[0], pd.read_csv(folder / "truth.csv")
    origin = event.preferred_origin()
    assert abs(origin.longitude - truth["longitude"][0]) < 0.02
    observed = [pick.time - origin.time for pick in event.picks]
    phases = [line.split() for line in (folder / "located" / "ev001.hyp").read_text().splitlines() if " > " in line][1:]
    explained = [float(words[16]) + float(words[17]) for words in phases]  # predicted, residual
    np.testing.assert_allclose(observed, explained, atol=1e-3)
    refused = vip(folder, "export", "runs/hypocenter", "--format", "segy")
    assert "expected one of netcdf, quakeml, csv, nonlinloc" in refused.stderr
