"""Jobs on the real schedulers of this machine: quoting, warnings, requeueing, cancelling and Dask workers.

`tests/clusters` has scripts that start a SLURM and a Grid Engine of one node. Nothing here is mocked.
"""

import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from vip import jobs
from vip.errors import ConfigError, SchedulerError
from vip.jobs.contract import QueuedJob
from vip.jobs.resources import Resources
from vip.jobs.site import Site

ODD = """odd $(touch x) `touch y` 'single' "double" %j $HOME \\t #c ü;&|*~"""
"""A file's name that runs something, or becomes another, wherever it is not quoted."""

PATIENCE = 170
"""Nothing here takes longer, unless it never comes (s)."""

CANCEL = {"SLURM": "scancel", "SGE": "qdel"}

SITE = Site(warning=20, driver_memory="100MB", memory="500MB", workers=1)
RESOURCES = Resources(workers=1, cores=1, memory=500_000_000, walltime=1800)

STAND_IN = """\
import json, os, signal, sys, time
what, *words = sys.argv[1:]
rank = os.environ.get("PMI_RANK") or os.environ.get("OMPI_COMM_WORLD_RANK") or ""
record = open("record" + rank, "a", buffering=1)
def write(*entry): record.write(json.dumps(entry) + "\\n")
def heard(number, _): write("signal", signal.Signals(number).name); signals.append(number)
signals = []
for number in (signal.SIGUSR1, signal.SIGTERM): signal.signal(number, heard)
starts = open("record" + rank).read().count('"start"')
write("start", os.environ.get("SLURM_JOB_ID") or os.environ.get("JOB_ID"), words)
while starts < (2 if what == "save twice" else 1) and what != "end":
    time.sleep(0.1)
    if what == "fail":
        sys.exit(3)
    if what.startswith("save") and signals:
        time.sleep(2)
        write("saved")
        sys.exit(75 if signals[0] == signal.SIGUSR1 else 143)
write("complete")
"""
"""What runs in place of `vip resume`: writes down its starts and signals. At its first start, "save" waits for a signal and
then saves itself, "save twice" at its second start too; "deaf" does nothing but write down, "fail" fails. "end", and all
others at the start after that, end."""

pytestmark = pytest.mark.alone


@pytest.fixture(params=sorted(jobs.SCHEDULERS))
def scheduler(request, monkeypatch):
    """A scheduler, with the scheduler itself running."""
    if request.param == "sge" and Path("/var/lib/gridengine").is_dir() and "SGE_ROOT" not in os.environ:
        monkeypatch.setenv("SGE_ROOT", "/var/lib/gridengine")
        monkeypatch.setenv("SGE_CELL", "default")
    try:
        found = jobs.scheduler(request.param)
        found.queued("nothing")
    except SchedulerError as error:
        pytest.skip(f"no {request.param} here: {error}")
    return found


@pytest.fixture
def name(scheduler):
    """Name of a job; whatever is left of the job is cancelled."""
    name = f"vip-test-{uuid.uuid4().hex[:8]}"
    yield name
    for job in scheduler.queued(name):
        subprocess.run([CANCEL[scheduler.kind], job.id], capture_output=True, check=False)


@pytest.fixture
def run_dir(tmp_path):
    """Whose name is odd."""
    directory = tmp_path / ODD
    directory.mkdir()
    (directory / "stand in.py").write_text(STAND_IN)
    return directory


def driver(scheduler, name, run_dir, what, words=(), site=SITE, ranks=0, **asked):
    """Submit the stand-in."""
    command = [sys.executable, str(run_dir / "stand in.py"), what, *words]
    return scheduler.submit(scheduler.driver_script(name, command, run_dir, RESOURCES._replace(**asked), site, ranks), run_dir)


def wait_for(condition, what):
    """What a condition gives once that is true."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.3)
    pytest.fail(f"no {what} in {PATIENCE} s")


def record(run_dir, rank=""):
    """What the stand-in wrote down."""
    file = run_dir / f"record{rank}"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def files(directory):
    return sorted(file.name for file in directory.iterdir())


def states(scheduler, name):
    return {job.name: job.state for job in scheduler.queued(name)}


def wait_for_end(scheduler, name):
    """Until the queue knows nothing of it.

    SLURM leaves two minutes before a requeued job starts again. Here they are a few seconds: with none, it may take the end of
    the first start for that of the second.
    """

    def ended():
        for job in scheduler.queued(name):
            if scheduler.kind == "SLURM" and job.state == "pending" and datetime.now() - job.since > timedelta(seconds=5):
                subprocess.run(["scontrol", "update", f"JobId={job.id}", "StartTime=now"], capture_output=True, check=False)
        return not states(scheduler, name)

    wait_for(ended, f"end of {name}")


def test_odd_words_arrive_verbatim_and_run_nothing(scheduler, name, run_dir, tmp_path):
    hold, release = {"SLURM": ("--hold", ["scontrol", "release"]), "SGE": ("-h", ["qrls"])}[scheduler.kind]
    words = [ODD, "", "-n", "%%", "'", '"', "\\", "a  b", "$SLURM_JOB_ID", "${x:-y}", "!!", "{a,b}"]
    number = driver(scheduler, name, run_dir, "end", words, Site(**SITE.model_dump() | {"directives": [hold]}))
    (job,) = scheduler.queued(name)
    assert job == QueuedJob(number, name, "held", job.since)
    assert job.since is not None
    subprocess.run([*release, number], check=True, capture_output=True)
    wait_for_end(scheduler, name)
    assert record(run_dir) == [["start", number, words], ["complete"]]
    assert "ended with code 0" in (run_dir / "job.log").read_text()
    assert files(tmp_path) == [ODD]
    assert files(run_dir) == ["job.log", "job.sh", "record", "stand in.py"]


def test_odd_account_arrives_verbatim_or_is_refused_by_us(scheduler, name, run_dir, tmp_path):
    """Grid Engine has no names with spaces or quotes; SLURM makes accounts lower case."""
    if scheduler.kind == "SGE":
        hold, show, account = "-h", ["qstat", "-j"], "a;b|c&$(touch)%j~"
        with pytest.raises(ConfigError, match="-A"):
            driver(scheduler, name, run_dir, "end", account="it's $(touch x)")
    else:
        hold, show, account = "--hold", ["scontrol", "show", "job"], ODD.lower()
    number = driver(scheduler, name, run_dir, "end", site=Site(**SITE.model_dump() | {"directives": [hold]}), account=account)
    shown = subprocess.run([*show, number], check=True, capture_output=True, text=True).stdout
    assert account in shown
    assert scheduler.cancel(name) == [number]
    wait_for_end(scheduler, name)
    assert files(tmp_path) == [ODD]
    assert record(run_dir) == []


def test_drivers_are_warned_and_go_on_with_the_same_id(scheduler, name, run_dir, tmp_path):
    """The warning before the walltime, of two drivers at once: one saves itself, one does not listen and is killed.

    SLURM's shortest walltime is a minute. Grid Engine needs half of that to start a job again; there the first one needs three
    walltimes.
    """
    deaf_dir = shutil.copytree(run_dir, tmp_path / "deaf")
    walltime = 60 if scheduler.kind == "SLURM" else 26
    walltimes = 1 if scheduler.kind == "SLURM" else 2
    number = driver(scheduler, name, run_dir, "save" if walltimes == 1 else "save twice", walltime=walltime)
    deaf = driver(scheduler, f"{name}-worker", deaf_dir, "deaf", walltime=walltime)
    wait_for_end(scheduler, name)
    heard = {directory: record(directory) for directory in (run_dir, deaf_dir)}
    for entries in heard.values():
        assert {tuple(entry) for entry in entries if entry[0] == "signal"} == {("signal", "SIGUSR1")}
    steps = {directory: [entry for entry in entries if entry[0] != "signal"] for directory, entries in heard.items()}
    assert steps[run_dir] == walltimes * [["start", number, []], ["saved"]] + [["start", number, []], ["complete"]]
    assert steps[deaf_dir] == [["start", deaf, []], ["start", deaf, []], ["complete"]]
    assert "ended with code 75, goes back into the queue" in (run_dir / "job.log").read_text()
    assert "ended with code 137, goes back into the queue" in (deaf_dir / "job.log").read_text()


def test_cancel_lets_the_driver_save_itself_and_removes_the_workers(scheduler, name, run_dir, tmp_path):
    """The stand-in needs two seconds to save itself, and is not requeued. The worker is one in name only."""
    worker_dir, other_dir = tmp_path / "worker", tmp_path / "other"
    for directory in (worker_dir, other_dir):
        shutil.copytree(run_dir, directory)
    other = driver(scheduler, name + "s", other_dir, "save")
    worker = driver(scheduler, f"{name}-worker", worker_dir, "save")
    number = driver(scheduler, name, run_dir, "save")
    wait_for(lambda: all(record(directory) for directory in (run_dir, worker_dir, other_dir)), "start")
    assert scheduler.cancel(name) == [number, worker]
    wait_for_end(scheduler, name)
    heard = record(run_dir)
    assert ["signal", "SIGTERM"] in heard
    assert heard[-1] == ["saved"]
    assert "ended with code 143" in (run_dir / "job.log").read_text()
    assert states(scheduler, name + "s") == {name + "s": "running"}
    assert scheduler.cancel(name) == []
    assert scheduler.cancel(name + "s") == [other]
    wait_for_end(scheduler, name + "s")


def test_a_driver_that_fails_is_not_requeued(scheduler, name, run_dir):
    number = driver(scheduler, name, run_dir, "fail")
    wait_for_end(scheduler, name)
    assert record(run_dir) == [["start", number, []]]
    assert "ended with code 3" in (run_dir / "job.log").read_text()


def test_refusals_are_said_in_the_schedulers_words(scheduler, name, run_dir):
    with pytest.raises(SchedulerError, match="no-such-queue"):
        driver(scheduler, name, run_dir, "end", queue="no-such-queue")


def test_ranks_of_one_allocation_save_themselves(scheduler, name, run_dir):
    """However the job is cancelled, mpirun must not kill its ranks before they have saved themselves."""
    mpirun = Path(sys.executable).with_name("mpirun")
    if not mpirun.exists():
        pytest.skip("no mpirun beside this Python: pip install mpich")
    site = Site(**SITE.model_dump() | {"mpirun": [str(mpirun)]})
    number = driver(scheduler, name, run_dir, "save", site=site, ranks=2)
    wait_for(lambda: record(run_dir, 0) and record(run_dir, 1), "start of both ranks")
    assert scheduler.cancel(name) == [number]
    wait_for_end(scheduler, name)
    for rank in (0, 1):
        assert record(run_dir, rank) == [["start", number, []], ["signal", "SIGUSR1"], ["saved"]]
    assert "ended with code 143" in (run_dir / "job.log").read_text()


def test_workers_start_over_tls_are_replaced_and_end_with_the_cluster(scheduler, name, run_dir, tmp_path, monkeypatch):
    """Two processes in a job of two cores, none of whose settings come from the user's configuration of dask-jobqueue."""
    monkeypatch.setattr("vip.jobs.workers.LOOK_SECONDS", 1)
    distributed = pytest.importorskip("distributed")
    dask = pytest.importorskip("dask")
    pytest.importorskip("dask_jobqueue")
    scratch = run_dir / "scratch 'n"
    site = Site(**SITE.model_dump() | {"scratch": str(scratch), "interface": "lo"})
    section = {"job-extra-directives": ["--no-such-option"], "interface": "nosuch0", "log-directory": str(tmp_path / "logs")}
    with dask.config.set({"jobqueue.slurm": section, "jobqueue.sge": section, "distributed.comm.timeouts.connect": "60s"}):
        cluster = scheduler.worker_cluster(
            name,
            run_dir,
            RESOURCES._replace(cores=2),
            site,
            security(run_dir / "tls"),
            2,
        )
    with cluster, distributed.Client(cluster, set_as_default=False) as client:
        cluster.scale(jobs=1)
        client.wait_for_workers(2, timeout=PATIENCE)
        assert states(scheduler, name) == {f"{name}-worker": "running"}
        found = client.run(lambda dask_worker: (dask_worker.address, dask_worker.state.nthreads, dask_worker.local_directory))
        assert len(found) == 2
        for address, threads, directory in found.values():
            assert address.startswith("tls://127.0.0.1:")
            assert threads == 1
            assert directory.startswith(str(scratch))
        assert client.submit(sum, [1, 2]).result() == 3
        (lost,) = scheduler.queued(name)
        subprocess.run([CANCEL[scheduler.kind], lost.id], check=True, capture_output=True)

        def replaced():
            cluster.scale(jobs=1)
            return [job for job in scheduler.queued(name) if job.id != lost.id and job.state == "running"]

        wait_for(replaced, "other job")
        client.wait_for_workers(2, timeout=PATIENCE)
        assert client.submit(sum, [1, 3]).result() == 4
    wait_for_end(scheduler, name)
    assert files(tmp_path) == [ODD]
    logs = [log.read_text() for log in (run_dir / "workers").iterdir()]
    assert len(logs) == 2
    assert all("Registered to:" in log for log in logs)


def security(folder):
    """Certificates in files that only this user reads."""
    from distributed import Security

    made = Security.temporary()
    folder.mkdir(mode=0o700)
    content = {"ca.pem": made.tls_ca_file, "cert.pem": made.tls_scheduler_cert, "key.pem": made.tls_scheduler_key}
    for name, text in content.items():
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(text)
    ca, cert, key = (str(folder / name) for name in content)
    roles = {
        f"tls_{role}_{what}": file
        for role in ("client", "scheduler", "worker")
        for what, file in (("cert", cert), ("key", key))
    }
    return Security(require_encryption=True, tls_ca_file=ca, **roles)
