"""The published British Isles set-up, shortened, as jobs of real schedulers, ended on the way by their walltime."""

import json
import os
import re
import stat
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from vip import jobs
from vip.data import data_dir
from vip.errors import SchedulerError
from vip.runs.store import Store

pytestmark = pytest.mark.alone

EXAMPLE = Path(__file__).parents[2] / "examples" / "british_isles" / "ssvgd.toml"
SITE = 'memory = "800MB"\ndriver_memory = "800MB"\nworkers = 2\n'
SHORTEST = {"slurm": 'warning = 20\nwalltime = "85s"\n', "sge": 'warning = 60\nwalltime = "160s"\n'}
"""SLURM warns after 70 to 100 s, Grid Engine after 100 s. The latter (8.1.9) ends a job that it starts a second time where it
should warn it, so that the run must be complete by then."""

LENGTH = {"iterations": 30, "burn_in": 10, "warm_up": 5}

SLOWED = """\
import time
from pathlib import Path

from vip.forward.tomo2d import Tomo2D


class Slowed(Tomo2D):
    def __call__(self, models):
        log = Path("../job.log")  # a worker is in a folder of the run
        if log.is_file() and "goes back into the queue" not in log.read_text():
            time.sleep(4)
        return super().__call__(models)
"""
"""The example's forward, slow until its walltime ended the run: on no machine is that later than the run's own end."""

PATIENCE = 900


@pytest.fixture
def schedulers(monkeypatch):
    """Those that answer; all that there are must."""
    if Path("/var/lib/gridengine").is_dir():
        monkeypatch.setenv("SGE_ROOT", os.environ.get("SGE_ROOT", "/var/lib/gridengine"))
        monkeypatch.setenv("SGE_CELL", os.environ.get("SGE_CELL", "default"))
    running = []
    for name in jobs.SCHEDULERS:
        try:
            jobs.scheduler(name).queued("nothing")
            running.append(name)
        except SchedulerError:
            continue
    if not running:
        pytest.skip("neither SLURM nor Grid Engine is running here")
    return running


@pytest.fixture
def config(tmp_path):
    """The example, shortened, with the slowed forward."""
    if not (data_dir() / "british_isles" / "ttimes.txt").is_file():
        pytest.skip("VIP_DATA_DIR does not hold british_isles; get it with `vip data british-isles`")
    text = EXAMPLE.read_text().replace('plugin = "tomo2d"', 'plugin = "./slowed.py:Slowed"')
    for key, value in LENGTH.items():
        text = re.sub(rf"(?m)^{key} = .*", f"{key} = {value}", text)
    (tmp_path / "slowed.py").write_text(SLOWED)
    file = tmp_path / "british_isles.toml"
    file.write_text(text)
    for name, shortest in SHORTEST.items():
        (tmp_path / f"{name}.toml").write_text(SITE + shortest)
    return file


def test_runs_that_their_walltime_ended_once_have_the_samples_of_a_serial_run(schedulers, config, command):
    folder = config.parent
    try:
        for name in schedulers:
            submit = ("submit", config, "--site", folder / f"{name}.toml", "--scheduler", name, "-o", folder / name)
            assert "#!/bin/bash" in command(*submit, "--dry-run").stdout
            done = command(*submit)
            assert done.returncode == 0, done.stderr
            assert f"{name} {json.loads((folder / name / 'job.json').read_text())['id']}: {folder / name}" in done.stdout
        again = command(*submit)
        assert again.returncode == 1
        assert "has a job of it already" in again.stderr
        line = [sys.executable, "-m", "vip", "run", config, "-o", folder / "serial", "--dispatch", "serial"]
        subprocess.run(line, check=True, capture_output=True)
        seen = {name: _watched(folder / name, name, command) for name in schedulers}
    finally:
        for name in schedulers:
            command("cancel", folder / name)
    expected = _samples(folder / "serial")
    for name in schedulers:
        assert_array_equal(_samples(folder / name), expected)
        assert {"running", "workers"} <= seen[name]
        _check_stops(folder / name)


def test_a_cancelled_run_is_saved_and_can_be_submitted_again(schedulers, troubled, command):
    """Cancelling ends driver and workers; an hour-long iteration does not stand in its way."""
    name = schedulers[-1]
    (troubled.folder / "site.toml").write_text(SITE + 'walltime = "30m"\n')
    config, run_dir = troubled.config(iterations=200, seconds=0.05), troubled.folder / "run"
    submit = ("--scheduler", name, "--site", troubled.folder / "site.toml")
    assert command("submit", config, *submit, "-o", run_dir).returncode == 0
    _wait(lambda: len(Store(run_dir).metrics()) > 3)
    assert command("cancel", run_dir).stdout.startswith("cancelled: ")
    _wait(lambda: "no longer known" in command("status", run_dir).stdout)
    assert "143" in (run_dir / "job.log").read_text()
    checkpoint = Store(run_dir).checkpoint()
    assert checkpoint.status == "interrupted"
    assert 3 < checkpoint.iteration < 200
    assert not (run_dir / "tls").exists()
    done = command("submit", run_dir, *submit)
    assert done.returncode == 0, done.stderr
    _wait(lambda: len(Store(run_dir).metrics()) > checkpoint.iteration)
    assert command("cancel", run_dir).returncode == 0
    _wait(lambda: "no longer known" in command("status", run_dir).stdout)
    assert "nothing to cancel" in command("cancel", run_dir).stdout


def test_one_allocation_of_mpi_ranks_gives_the_serial_samples(schedulers, troubled, command):
    pytest.importorskip("mpi4py", reason="mpi4py is not installed")
    troubled.run("serial")
    (troubled.folder / "site.toml").write_text('memory = "300MB"\ndriver_memory = "300MB"\nwalltime = "30m"\n')
    for name in schedulers:
        run_dir = troubled.folder / name
        submit = ("--scheduler", name, "--dispatch", "mpi", "--workers", "6", "--site", troubled.folder / "site.toml")
        done = command("submit", troubled.config(), *submit, "-o", run_dir)
        assert done.returncode == 0, done.stderr
        _wait(lambda run_dir=run_dir: "no longer known" in command("status", run_dir).stdout)
        assert "MPI: 6 ranks" in (run_dir / "run.log").read_text()
        assert_array_equal(troubled.samples(name), troubled.samples("serial"))


def _watched(run_dir, name, command):
    """Words that `vip status` said until the run's jobs were gone."""
    seen = set()

    def finished():
        done = command("status", run_dir)
        assert done.returncode == 0, done.stderr
        seen.update(re.findall(r"[a-z]+", done.stdout))
        _hasten(name, json.loads((run_dir / "job.json").read_text())["name"])
        goes_on = (run_dir / "job.log").is_file() and (run_dir / "job.log").read_text().endswith("back into the queue\n")
        return "no longer known" in done.stdout and not goes_on

    _wait(finished)
    return seen


def _hasten(scheduler, name):
    """SLURM leaves two minutes before a requeued job starts again; here a few seconds."""
    for job in jobs.scheduler(scheduler).queued(name):
        if scheduler == "slurm" and job.state == "pending" and datetime.now() - job.since > timedelta(seconds=5):
            subprocess.run(["scontrol", "update", f"JobId={job.id}", "StartTime=now"], capture_output=True, check=False)


def _check_stops(run_dir):
    """Each start goes on from where the one before was saved, no iteration is missing or made twice, nothing is left over."""
    starts = [int(at) for at in re.findall(r"from iteration (\d+) of", (run_dir / "run.log").read_text())]
    requeued = (run_dir / "job.log").read_text().count("goes back into the queue")
    assert len(starts) == requeued + 1 >= 2
    assert starts == sorted(set(starts))
    store = Store(run_dir)
    assert [line["iteration"] for line in store.metrics()] == list(range(1, store.checkpoint().iteration + 1))
    assert not (run_dir / "tls").exists()
    assert stat.S_IMODE(run_dir.stat().st_mode) == 0o700


def _samples(run_dir):
    store = Store(run_dir)
    assert store.checkpoint().status == "finished"
    return np.concatenate([stretch.models for stretch in store.samples()])


def _wait(until):
    end = time.monotonic() + PATIENCE
    while not until():
        if time.monotonic() > end:
            pytest.fail(f"nothing in {PATIENCE} s")
        time.sleep(1)
