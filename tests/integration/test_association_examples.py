"""examples/association: figures of Shi et al. (2024), with one catalogue for each point."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples" / "association"


def printed(name, folder, *options):
    """What a script prints; its figure is there."""
    line = [sys.executable, EXAMPLES / f"{name}.py", "--catalogues", "1", "--output", folder / "figure.png", *options]
    done = subprocess.run(line, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    assert (folder / "figure.png").stat().st_size > 10_000
    return done.stdout


@pytest.mark.parametrize("name", ["known_speed", "missing_and_false"])
def test_a_figure_and_its_numbers(name, tmp_path):
    """Without noise every pick is right, whatever the order of arrivals."""
    rows = re.findall(r"(.*): .*ACC +([\d.]+) %.*ceiling +([\d.]+) %", printed(name, tmp_path))
    assert len(rows) >= 16
    for what, right, best in rows:
        if " 0.0 s of noise" in what or what == "missing 0%, false 0%":
            assert float(right) == float(best) == 100, what


def test_speeds_that_are_not_those_assumed(tmp_path):
    """Where the assumed speed is the true one and events are far apart, all picks are right."""
    said = printed("other_speeds", tmp_path, "--figure", "9a", "--lengths", "60", "--shares", "0")
    assert re.search(r"share 0, .*ACC 100.0 %, ceiling 100.0 %, 1 catalogues", said), said


@pytest.mark.full
def test_numbers_of_events_and_stations(tmp_path):
    """One cell that is easy, and a picture of it."""
    options = ["--events", "3", "--stations", "12", "--starts", "2", "--rounds", "1"]
    said = printed("events_and_stations", tmp_path, *options)
    right, best = re.search(r"ACC +([\d.]+) %.*ceiling +([\d.]+) %", said).groups()
    assert float(right) > 50
    assert float(best) == 100


@pytest.mark.full
def test_unknown_speeds_and_their_picture(tmp_path):
    """Few events that hardly cross, at as many stations as the speed needs: most picks are right after two starts."""
    options = ["--events", "4", "--stations", "12", "--lengths", "8", "--starts", "2", "--rounds", "1"]
    said = printed("unknown_speed", tmp_path, *options)
    right, best = re.search(r"catalogues: ACC +([\d.]+) %.*ceiling +([\d.]+) %", said).groups()
    assert float(right) > 50
    assert float(best) == 100
