"""examples/hypocenter: the same picks located with layers and with the model in three dimensions that they were made in."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import vip

pytest.importorskip("obspy", reason="the extra 'seismology' is not installed")

EXAMPLE = Path(__file__).parents[2] / "examples" / "hypocenter"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hypocenter")
    for name in ("make_data.py", "compare.py", "layers.toml", "volume.toml"):
        shutil.copy(EXAMPLE / name, folder)
    subprocess.run([sys.executable, "make_data.py"], cwd=folder, check=True, timeout=120)
    return folder


def located(folder, name):
    """How far (n_events, 3) from the truth the most probable places are, km, and the origins."""
    result = vip.run(vip.load_problem(folder / f"{name}.toml"))
    forward = result.problem.forward
    truth = pd.read_csv(folder / "truth.csv")
    x, y = forward.catalogue.network.projection.to_local(truth["latitude"].to_numpy(), truth["longitude"].to_numpy())
    found = forward.origins(result.flat.astype(float))
    return np.array([o.modes[0].position for o in found]) - np.stack([x, y, truth["depth"]], axis=1), found


def test_three_dimensions_find_the_fault_that_layers_move(folder):
    """Layers move all events to the same side, by more than they say; false picks, one in twelve, move neither."""
    layers, _ = located(folder, "layers")
    volume, found = located(folder, "volume")
    assert np.linalg.norm(layers[:, :2].mean(axis=0)) > 1.5
    assert np.sqrt(np.mean(volume[:, :2] ** 2)) < 0.2
    squared = [d @ np.linalg.solve(np.cov(o.samples.T), d) for d, o in zip(volume, found, strict=True)]
    assert np.mean(squared) < 3 + 3 * np.sqrt(6 / len(squared))  # of chi-square of 3, with its standard error
    late = [np.abs(o.arrivals.residual) > 0.5 for o in found]
    assert 0.04 < np.concatenate(late).mean() < 0.12
    subprocess.run([sys.executable, "compare.py"], cwd=folder, check=True, timeout=120)
    assert (folder / "fault.png").is_file()
