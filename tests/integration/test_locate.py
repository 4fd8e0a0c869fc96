"""`vip locate`: from picks to a catalogue, with faults, an interruption, and formats of others."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from forward.hypocenter.synthetic import write_example

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
    told = " ".join((done.stdout + done.stderr).split())
    assert "ev001" in told
    assert "XX9" in told
    assert "ev020" in told
    assert len(pd.read_csv(folder / "catalogue.csv")) == 18


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
    ],
)
def test_wrong_use_is_one_line(folder, arguments, message):
    done = vip(folder, "locate", *arguments)
    assert done.returncode != 0
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_scatter_files_are_those_of_nonlinloc(folder):
    done = vip(folder, "run", "hypocenter.toml")
    assert done.returncode == 0, done.stderr
    done = vip(folder, "export", "runs/hypocenter", "--format", "scatter", "-o", "scatter")
    assert done.returncode == 0, done.stderr
    files = sorted((folder / "scatter").glob("*.scat"))
    assert len(files) == 20
    numbers = np.fromfile(files[0], "<f4").reshape(-1, 4)
    assert numbers.shape == (151, 4)
    assert numbers[0, :1].view("<i4")[0] == 150
    refused = vip(folder, "export", "runs/hypocenter", "--format", "segy")
    assert "expected one of netcdf, quakeml, csv, scatter" in refused.stderr
