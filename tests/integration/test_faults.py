"""Machines and physics that fail, on the real engines: nothing is lost, nothing counted twice."""

import os
import resource
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
from numpy.testing import assert_array_equal

import vip
from vip.config import DispatchSettings
from vip.errors import DispatchError, ForwardError, StoreError
from vip.runs.store import Store

LOCAL = {"kind": "local", "workers": 2, "dashboard": None}


def workers_of(process):
    """Worker processes of a Dask cluster: the children of a process that have connections, without helpers."""
    return [child for child in process.children(recursive=True) if "spawn_main" in " ".join(child.cmdline())]


@pytest.mark.parametrize(
    ("trouble", "settings", "message"),
    [
        ("die", {}, "lost"),
        ("hang", {"timeout": 0.3}, "no answer within 0.3 s"),
        ("hang with lock", {"timeout": 0.3}, "no answer within 0.3 s"),
        ("memory", {"memory": "600MB"}, "lost"),
    ],
)
def test_a_lost_worker_costs_no_particle_and_changes_no_sample(troubled, trouble, settings, message):
    troubled.run("undisturbed")
    troubled.run("disturbed", dispatch=LOCAL | settings, trouble=trouble)
    assert (troubled.folder / "trouble-0").exists()
    assert message in troubled.log("disturbed")
    assert_array_equal(troubled.samples("disturbed"), troubled.samples("undisturbed"))


def test_all_workers_killed_in_the_middle_of_a_run(troubled):
    troubled.run("undisturbed")
    killed = []

    def kill_all(progress):
        if progress.iteration == 6:
            killed.extend(workers_of(psutil.Process()))
            for worker in killed:
                worker.kill()

    troubled.run("disturbed", kill_all, dispatch=LOCAL)
    assert len(killed) == 2
    assert_array_equal(troubled.samples("disturbed"), troubled.samples("undisturbed"))


def test_a_particle_that_kills_each_of_its_workers_is_at_fault_itself(troubled):
    with pytest.raises(ForwardError, match=r"particle \d+: 3 workers were lost evaluating it") as caught:
        troubled.run("deadly", dispatch=LOCAL, trouble="deadly", limit=16.0)
    models = np.load(troubled.folder / "deadly" / "failed_models_0.npy")
    assert sorted(caught.value.reasons) == np.flatnonzero(models[:, 0] > 16.0).tolist()


def test_machines_that_lose_every_worker_end_the_run_saved(troubled):
    with pytest.raises(DispatchError, match=r"9 workers were lost one after the other"):
        troubled.run("hopeless", dispatch=LOCAL | {"workers": 1}, trouble="die", times=1000, after=0)
    assert Store(troubled.folder / "hopeless").checkpoint().status == "interrupted"


def test_the_driver_killed_leaves_no_worker_and_its_run_resumes(troubled, command):
    troubled.run("undisturbed", iterations=40)
    config, run_dir = troubled.config(iterations=40, seconds=0.005), troubled.folder / "killed"
    line = [sys.executable, "-m", "vip", "run", config, "-o", run_dir, "--dispatch", "local", "--workers", "2"]
    driver = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _wait(lambda: (run_dir / "checkpoint.h5").exists() and len(Store(run_dir).metrics()) > 8)
    processes = psutil.Process(driver.pid).children(recursive=True)
    driver.kill()
    driver.wait()
    assert len(processes) >= 2
    _, alive = psutil.wait_procs(processes, timeout=30)
    assert not alive
    assert Store(run_dir).checkpoint().status == "running"
    done = command("resume", run_dir, "--dispatch", "local", "--workers", "2")
    assert done.returncode == 0, done.stderr
    assert_array_equal(troubled.samples("killed"), troubled.samples("undisturbed"))


@pytest.mark.parametrize(("stop", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR1, 75)])
def test_a_signal_to_the_whole_group_saves_the_run(troubled, command, stop, code):
    """A terminal sends Ctrl-C to the workers too."""
    troubled.run("undisturbed", iterations=40)
    config, run_dir = troubled.config(iterations=40, seconds=0.005), troubled.folder / "stopped"
    line = [sys.executable, "-m", "vip", "run", config, "-o", run_dir, "--dispatch", "local", "--workers", "2"]
    driver = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True)
    _wait(lambda: (run_dir / "checkpoint.h5").exists() and len(Store(run_dir).metrics()) > 8)
    os.killpg(driver.pid, stop) if stop == signal.SIGINT else driver.send_signal(stop)
    _, message = driver.communicate(timeout=60)
    assert driver.returncode == code, message
    assert "Traceback" not in message
    assert command("resume", run_dir, "--dispatch", "serial").returncode == 0
    assert_array_equal(troubled.samples("stopped"), troubled.samples("undisturbed"))


@pytest.mark.parametrize("trouble", ["raise", "nan", "shape"])
@pytest.mark.parametrize("policy", ["hold", "resample"])
def test_particles_whose_physics_fails_follow_the_policy_the_same_way_on_all_engines(troubled, trouble, policy):
    run = f'on_failure = "{policy}"'
    serial = troubled.run("serial", run=run, trouble=trouble)
    troubled.run("local", run=run, trouble=trouble, dispatch=LOCAL)
    assert_array_equal(troubled.samples("serial"), troubled.samples("local"))
    failed = [(line["iteration"], line["failures"]) for line in serial.store.metrics() if "failures" in line]
    assert failed
    assert failed == [(m["iteration"], m["failures"]) for m in Store(troubled.folder / "local").metrics() if "failures" in m]
    kept = np.load(troubled.folder / "local" / "failed_models_0.npy")
    assert kept.shape == (failed[0][1], 6)
    assert (kept[:, 0] > 2.5).all()


def test_a_resampled_particle_joins_the_others_at_once(troubled):
    """A held one stays in bad physics until the others have pushed it out."""
    failures = {}
    for policy in ("hold", "resample"):
        result = troubled.run(policy, iterations=6, run=f'on_failure = "{policy}"', trouble="nan", limit=10.0)
        failures[policy] = [line.get("failures", 0) for line in result.store.metrics()]
    assert failures["hold"][0] == failures["resample"][0] > 1
    assert failures["resample"][1] == 0 < failures["hold"][1]


@pytest.mark.parametrize("dispatch", [{"kind": "serial"}, LOCAL])
def test_by_default_a_failure_ends_the_run_with_its_state_and_models_saved(troubled, dispatch):
    with pytest.raises(ForwardError, match="ValueError: negative velocity"):
        troubled.run("stopped", trouble="raise", dispatch=dispatch)
    store = Store(troubled.folder / "stopped")
    assert store.checkpoint().status == "interrupted"
    assert (store.path / "failed_models_0.npy").is_file()


def test_a_full_disk_ends_the_run_which_resumes_when_there_is_space(troubled):
    """The limit on file size stands for the disk's: samples grow past it, the checkpoint before stays."""
    troubled.run("undisturbed", iterations=30)
    kept = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    problem = vip.load_problem(troubled.config(iterations=30, run=""))
    iterations = []

    def fill(progress):
        iterations.append(progress.iteration)
        if progress.iteration == 12:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, kept[1]))

    try:
        with pytest.raises(StoreError, match=r"cannot be written.*vip resume"):
            vip.run(problem, troubled.folder / "full", tell=fill, dispatch=DispatchSettings(kind="serial"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, kept)
        signal.signal(signal.SIGXFSZ, handler)
    assert 0 < Store(troubled.folder / "full").checkpoint().iteration <= 12
    vip.resume(troubled.folder / "full", dispatch=DispatchSettings(kind="serial"))
    assert_array_equal(troubled.samples("full"), troubled.samples("undisturbed"))


def _wait(until, seconds=60):
    end = time.monotonic() + seconds
    while not until():
        if time.monotonic() > end:
            pytest.fail(f"nothing within {seconds} s")
        time.sleep(0.05)
