"""Jobs: site files, amounts, and scripts as text and under bash. The schedulers themselves are in tests/integration.

`python tests/jobs/test_jobs.py` writes the files in tests/jobs/golden anew; look at the difference before you commit it.
"""

import inspect
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vip import jobs
from vip.errors import ConfigError, SchedulerError
from vip.jobs import sge, slurm
from vip.jobs.amounts import parse_memory, parse_walltime
from vip.jobs.commands import call, write_script
from vip.jobs.contract import QueuedJob, Scheduler
from vip.jobs.resources import Resources, resources
from vip.jobs.script import quoted
from vip.jobs.site import Site, load_site
from vip.jobs.workers import lifetimes

GOLDEN = Path(__file__).with_name("golden")
SCHEDULERS = sorted(jobs.SCHEDULERS)

PLAIN = Site(queue="long", account="geo", modules=("gcc/12", "openmpi"), directives=("-x one",))
ODD_DIR = Path("""/odd $(touch x) `y` 'single' "double" %j $HOME \\t #c ü;&|*~""")
ODD = Site(
    account="a;b|c&d$(touch)%j",
    prologue=("source /etc/profile.d/modules.sh", "\texport A='b c'"),
    modules=("a b; touch x",),
    scratch="/scratch/$USER name",
    interface="ib 0",
    memory_resource="h_vmem",
    mpirun=("/opt/my mpi/mpirun", "--bind-to", "none"),
)
RESOURCES = Resources(workers=4, cores=2, memory=4_000_000_000, walltime=5430)


def asked(site):
    return RESOURCES._replace(queue=site.queue, account=site.account)


def driver(kind, site, run_dir, ranks=0, command=("/usr/bin/python3", "-m", "vip", "resume")):
    return jobs.scheduler(kind).driver_script("vip-0123abc", [*command, str(run_dir)], run_dir, asked(site), site, ranks)


def worker(kind, site, run_dir):
    return jobs.scheduler(kind).worker_script("vip-0123abc", run_dir, asked(site), site, 2)


def scripts():
    """Golden file and script of every kind."""
    for kind in SCHEDULERS:
        yield f"{kind}-driver", driver(kind, PLAIN, Path("/scratch/run"))
        yield f"{kind}-driver-odd", driver(kind, ODD, ODD_DIR)
        yield f"{kind}-ranks", driver(kind, PLAIN, Path("/scratch/run"), 8)
        yield f"{kind}-ranks-odd", driver(kind, ODD, ODD_DIR, 8)
        yield f"{kind}-worker", worker(kind, PLAIN, Path("/scratch/run"))
        yield f"{kind}-worker-odd", worker(kind, ODD, ODD_DIR)


def write_golden():
    sys.executable = ODD_PYTHON
    GOLDEN.mkdir(exist_ok=True)
    for name, script in scripts():
        (GOLDEN / f"{name}.sh").write_text(script)


ODD_PYTHON = "/opt/my python/bin/python"


# scripts as text


def test_scripts_are_as_checked_in(monkeypatch):
    pytest.importorskip("dask_jobqueue")
    monkeypatch.setattr(sys, "executable", ODD_PYTHON)
    found = dict(scripts())
    assert sorted(found) == sorted(file.stem for file in GOLDEN.glob("*.sh"))
    for name, script in found.items():
        assert script == (GOLDEN / f"{name}.sh").read_text(), name


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("*.sh")), ids=lambda file: file.stem)
def test_bash_can_read_the_scripts(file):
    done = subprocess.run(["bash", "-n", file], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("kind", SCHEDULERS)
def test_every_scheduler_keeps_the_contract(kind):
    scheduler = jobs.scheduler(kind)
    for name, function in inspect.getmembers(Scheduler, inspect.isfunction):
        if name.startswith("_"):
            continue
        wanted = list(inspect.signature(function).parameters.values())[1:]
        assert list(inspect.signature(getattr(scheduler, name)).parameters.values()) == wanted, name


def test_unknown_scheduler():
    with pytest.raises(ConfigError, match="slurm, sge"):
        jobs.scheduler("pbs")


@pytest.mark.parametrize("kind", SCHEDULERS)
@pytest.mark.parametrize("name", ["", "1a", "A", "a b", "a/b", "a\n", "$x"])
def test_names_that_a_scheduler_might_change_are_refused(kind, name):
    with pytest.raises(ConfigError, match="name"):
        jobs.scheduler(kind).driver_script(name, ["true"], Path("/x"), RESOURCES, Site())


@pytest.mark.parametrize("kind", SCHEDULERS)
def test_line_breaks_cannot_bring_directives_in(kind):
    """Grid Engine takes `#$` at the start of any line, inside quotes too."""
    for directory, word in [(Path("/x\n#$ -o /y"), "a"), (Path("/x"), "a\n#$ -o /y")]:
        with pytest.raises(ConfigError, match="one line"):
            jobs.scheduler(kind).driver_script("a", [word], directory, RESOURCES, Site())


@pytest.mark.parametrize("account", ["a b", "it's", 'say "x"', "a\\b", "a#b", "-x"])
def test_what_grid_engine_cannot_hold_is_refused(account):
    with pytest.raises(ConfigError, match="-A"):
        jobs.scheduler("sge").driver_script("a", ["true"], Path("/x"), RESOURCES._replace(account=account), Site())


def test_what_a_scheduler_does_not_know_is_refused():
    with pytest.raises(ConfigError, match="qos"):
        jobs.scheduler("sge").driver_script("a", ["true"], Path("/x"), RESOURCES, Site(qos="high"))
    with pytest.raises(ConfigError, match="project"):
        jobs.scheduler("slurm").driver_script("a", ["true"], Path("/x"), RESOURCES._replace(project="p"), Site())


def test_more_processes_than_cores_are_refused():
    pytest.importorskip("dask_jobqueue")
    with pytest.raises(ConfigError, match="processes"):
        jobs.scheduler("slurm").worker_script("a", Path("/x"), RESOURCES, Site(), 3)


def test_tls_files_are_quoted_on_a_workers_command_line():
    distributed = pytest.importorskip("distributed")
    pytest.importorskip("dask_jobqueue")
    files = {"tls_ca_file": "/a b/ca", "tls_worker_cert": "/it's/cert", "tls_worker_key": "/$(x)/key"}
    script = jobs.scheduler("slurm").worker_script("a", Path("/x"), RESOURCES, Site(), 1, distributed.Security(**files))
    words = shlex.split(script.splitlines()[-1])
    assert words[words.index("--tls-ca-file") + 1] == "/a b/ca"
    assert words[words.index("--tls-cert") + 1] == "/it's/cert"
    assert words[words.index("--tls-key") + 1] == "/$(x)/key"
    assert words[words.index("--protocol") + 1] == "tls://"


@given(st.integers(61, 10**7), st.integers(20, 10**5))
def test_every_worker_ends_before_the_walltime(walltime, warning):
    if walltime > warning + 60:
        lifetime, stagger = lifetimes(walltime, warning)
        assert lifetime + stagger <= walltime - warning
        assert lifetime - stagger > 0


# scripts under bash


WORDS = st.lists(st.text(st.characters(exclude_categories=["Cc", "Cs"])))


@given(WORDS)
def test_words_come_back_from_the_shell_verbatim(words):
    out = subprocess.run(["bash", "-c", f"printf '%s\\0' {quoted(words)} end"], capture_output=True, check=True).stdout
    assert out.decode().split("\0")[:-1] == [*words, "end"]


@pytest.fixture
def run_dir(tmp_path):
    directory = tmp_path / ODD_DIR.name
    directory.mkdir()
    return directory


def start(run_dir, code, site=PLAIN, ranks=0, words=(), walltime=5430):
    """A Grid Engine driver's script under bash; its command is a Python program. Requeueing is exit code 99 there."""
    site = Site(**site.model_dump() | {"modules": ()})
    command = [sys.executable, "-c", code, *words]
    script = jobs.scheduler("sge").driver_script("a", command, run_dir, RESOURCES._replace(walltime=walltime), site, ranks)
    return subprocess.Popen([write_script(script, run_dir)], env={**os.environ, "JOB_ID": "1"}, start_new_session=True)


def log_has(run_dir, text):
    """Once the log has the text."""
    for _ in range(600):
        if (run_dir / "job.log").exists() and text in (run_dir / "job.log").read_text():
            return
        time.sleep(0.05)
    pytest.fail(f"no {text!r} in job.log")


def test_a_whole_script_passes_its_words_on(run_dir, tmp_path):
    words = [ODD_DIR.name, "", "-n", "'\"", "\\"]
    code = "import json, os, sys; json.dump([os.getcwd(), sys.argv[1:]], open('said', 'w'))"
    assert start(run_dir, code, words=words).wait() == 0
    assert json.loads((run_dir / "said").read_text()) == [str(run_dir), words]
    assert [file.name for file in tmp_path.iterdir()] == [run_dir.name]
    assert sorted(file.name for file in run_dir.iterdir()) == ["job.log", "job.sh", "said"]


def test_ranks_are_started_by_the_sites_mpirun(run_dir):
    mpirun = run_dir / "my mpirun"
    mpirun.write_text('#!/bin/sh\nprintf "%s," "$@" > said\n')
    mpirun.chmod(0o700)
    assert start(run_dir, "pass", Site(mpirun=(str(mpirun), "--x y")), ranks=3).wait() == 0
    assert (run_dir / "said").read_text() == f"--x y,-n,3,{sys.executable},-c,pass,"


@pytest.mark.parametrize(("code", "job_code"), [(0, 0), (3, 3), (75, 99), (137, 137), (138, 138), (143, 143)])
def test_only_a_driver_that_saved_itself_is_requeued(run_dir, code, job_code):
    """137 long before the walltime is for instance that of a driver that was killed for its memory."""
    assert start(run_dir, f"import os; os._exit({code})").wait() == job_code


LISTENING = "; ".join(
    [
        "import signal, sys, time",
        "signal.signal(signal.SIGUSR1, lambda *_: (time.sleep(1), sys.exit(75)))",
        "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(1), sys.exit(143)))",
        "print('listening', flush=True)",
        "time.sleep(60)",
    ]
)


@pytest.mark.parametrize(
    ("ranks", "number", "job_code"),
    [
        (0, signal.SIGUSR1, 99),
        (0, signal.SIGTERM, 143),
        (0, signal.SIGUSR2, 143),
        (2, signal.SIGUSR1, 99),
        (2, signal.SIGTERM, 143),
        (2, signal.SIGUSR2, 143),
    ],
)
def test_signals_are_passed_on_and_the_driver_is_waited_for(run_dir, ranks, number, job_code):
    """With ranks every signal becomes SIGUSR1, at which the command exits with 75."""
    launcher = run_dir / "mpirun"
    launcher.write_text('#!/bin/sh\nshift 2\nexec "$@"\n')
    launcher.chmod(0o700)
    process = start(run_dir, LISTENING, Site(mpirun=(str(launcher),)), ranks)
    log_has(run_dir, "listening")
    process.send_signal(number)
    assert process.wait() == job_code
    log_has(run_dir, f"ended with code {75 if job_code == 99 else 143}")


def test_where_the_scheduler_does_not_warn_the_script_does(run_dir):
    """Grid Engine: at two seconds, with a walltime of 22 s and a warning of 20 s."""
    process = start(run_dir, LISTENING, Site(warning=20), walltime=22)
    assert process.wait() == 99
    log_has(run_dir, "warned of the walltime")
    log_has(run_dir, "ended with code 75, goes back")


def test_a_group_that_grid_engine_announces_its_end_to_can_save_itself(run_dir):
    """SIGUSR2 goes to every process of the job: the driver ignores it, and gets SIGTERM from the script."""
    process = start(run_dir, LISTENING)
    log_has(run_dir, "listening")
    os.killpg(process.pid, signal.SIGUSR2)
    assert process.wait() == 143


def test_a_warning_that_comes_before_the_driver_listens_requeues_it(run_dir):
    process = start(run_dir, "import time; print('here', flush=True); time.sleep(60)")
    log_has(run_dir, "here")
    process.send_signal(signal.SIGUSR1)
    assert process.wait() == 99


def test_a_driver_that_does_not_listen_is_killed_before_the_walltime(run_dir):
    """With a walltime of 6 s and a warning of 20 s, nothing that was started is left behind."""
    code = "import signal, time; signal.signal(signal.SIGUSR1, signal.SIG_IGN); time.sleep(60)"
    process = start(run_dir, code, Site(warning=20), walltime=6)
    assert process.wait() == 99
    log_has(run_dir, "ended with code 137, goes back")
    with pytest.raises(ProcessLookupError):
        wait_for_group_to_end(process.pid)


def test_nothing_is_left_behind(run_dir):
    process = start(run_dir, "pass")
    assert process.wait() == 0
    with pytest.raises(ProcessLookupError):
        wait_for_group_to_end(process.pid)


def wait_for_group_to_end(group):
    """Raises ProcessLookupError when it has."""
    for _ in range(100):
        os.killpg(group, 0)
        time.sleep(0.05)


# queues


def test_states_of_grid_engine():
    known = {"qw": "pending", "hqw": "held", "r": "running", "t": "running", "Rr": "running", "Rq": "pending"}
    known |= {"dr": "ending", "dt": "ending", "Eqw": "error", "s": "suspended", "S": "suspended", "T": "suspended"}
    assert {letters: sge._state(letters) for letters in known} == known


@pytest.mark.parametrize(
    ("line", "job"),
    [
        (
            "7|a|RUNNING|None|2026-01-02T03:04:05|2026-01-01T00:00:00",
            QueuedJob("7", "a", "running", datetime(2026, 1, 2, 3, 4, 5)),
        ),
        ("7|a|PENDING|BeginTime|2027-01-01T00:00:00|2026-01-01T00:00:00", QueuedJob("7", "a", "pending", datetime(2026, 1, 1))),
        ("7|a|PENDING|JobHeldUser|N/A|2026-01-01T00:00:00", QueuedJob("7", "a", "held", datetime(2026, 1, 1))),
        ("7|a|COMPLETING|None|N/A|2026-01-01T00:00:00", QueuedJob("7", "a", "ending", None)),
        ("7|a|SIGNALING|None|N/A|N/A", QueuedJob("7", "a", "signaling", None)),
    ],
)
def test_lines_of_squeue(line, job):
    assert slurm._queued(line.split("|")) == job


def test_programs_that_are_missing_or_fail_are_named():
    with pytest.raises(SchedulerError, match="no-such-program: not found"):
        call(["no-such-program"])
    with pytest.raises(SchedulerError, match="sh: it went wrong"):
        call(["sh", "-c", "echo it went wrong >&2; exit 3"])
    with pytest.raises(SchedulerError, match="failed with code 3"):
        call(["sh", "-c", "exit 3"])


def test_the_script_is_for_its_owner_only(tmp_path):
    file = write_script("one", tmp_path)
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("one", 0o700)
    assert write_script("two", tmp_path).read_text() == "two"
    with pytest.raises(SchedulerError, match="cannot be written"):
        write_script("x", tmp_path / "missing")


# amounts and sites


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("8GB", 8 * 10**9),
        ("8 gb", 8 * 10**9),
        ("8GiB", 8 * 2**30),
        ("8G", 8 * 2**30),
        ("0.5T", 2**39),
        ("512k", 2**19),
        (1024, 1024),
    ],
)
def test_memory(text, amount):
    assert parse_memory(text) == amount


@pytest.mark.parametrize("text", ["", "0", "GB", "-1GB", "4 apples", "1e9", "nan", "4GB;", "٤GB", "0.1B"])
def test_no_memory(text):
    with pytest.raises(ConfigError, match="memory"):
        parse_memory(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12:00:00", 43200),
        ("2-12:00:00", 216000),
        ("90m", 5400),
        ("1.5h", 5400),
        ("800:00:00", 2_880_000),
        ("1d", 86400),
        ("5", 5),
        (5, 5),
    ],
)
def test_walltime(text, seconds):
    assert parse_walltime(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "00:00:00", "12:00", "1:60:00", "1:00:60", "-1", "2-", "2-12", "1w", "inf", "1:2:3"])
def test_no_walltime(text):
    with pytest.raises(ConfigError, match="walltime"):
        parse_walltime(text)


def test_what_is_asked_comes_before_what_the_site_has():
    site = Site(queue="long", account="geo", memory="2GB", walltime="1h", workers=3)
    assert resources(site) == Resources(3, 1, 2 * 10**9, 3600, "long", "geo", None)
    given_ = {"workers": 8, "memory": "1GiB", "walltime": "2h", "queue": "short", "account": None, "cores": 4}
    assert resources(site, **given_) == Resources(8, 4, 2**30, 7200, "short", "geo", None)


@pytest.mark.parametrize(
    "asked_for", [{"workers": 0}, {"cores": -1}, {"memory": "x"}, {"walltime": 180}, {"queue": "a\nb"}, {"account": " "}]
)
def test_faults_of_what_is_asked_name_it(asked_for):
    """A walltime of 180 s leaves nothing after a warning of 120 s that may come 60 s early."""
    with pytest.raises(ConfigError, match=next(iter(asked_for))):
        resources(Site(), **asked_for)


def test_a_site_file_says_all(tmp_path):
    file = tmp_path / "site.toml"
    file.write_text('scheduler = "sge"\nmodules = ["gcc/12"]\nprologue = ["\\tsource x"]\nwarning = 60\nmpirun = ["srun"]\n')
    site = load_site(file)
    assert site == Site(scheduler="sge", modules=("gcc/12",), prologue=("\tsource x",), warning=60, mpirun=("srun",))


def test_places_of_a_site_file(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("VIP_SITE", raising=False)
    usual, named, given_ = tmp_path / ".config" / "vip" / "site.toml", tmp_path / "named.toml", tmp_path / "given.toml"
    usual.parent.mkdir(parents=True)
    for file in (usual, named, given_):
        file.write_text(f'queue = "{file.stem}"')
    assert load_site(None).queue == "site"
    monkeypatch.setenv("VIP_SITE", str(named))
    assert load_site(None).queue == "named"
    assert load_site(given_).queue == "given"
    monkeypatch.setenv("VIP_SITE", str(tmp_path / "missing"))
    with pytest.raises(ConfigError, match="missing: cannot be read"):
        load_site(None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("quue = 1", "quue: 1: unknown key, did you mean queue?"),
        ('memory = "4 apples"', "memory: 4 apples: must be an amount of memory"),
        ('walltime = "12:00"', "walltime: 12:00: must be a duration"),
        ('scheduler = "pbs"', "scheduler: pbs: Input should be 'slurm' or 'sge'"),
        ("workers = 0", "workers: 0: Input should be greater"),
        ("warning = 5", "warning: 5: Input should be greater"),
        ("mpirun = []", "mpirun: []: "),
        ('queue = "a\\nb"', r"queue: 'a\nb': must be one line"),
        ('prologue = ["ls", "a\\nb"]', r"prologue.1: 'a\nb': must be one line"),
        ('modules = ["a\\u0007"]', r"modules.0: 'a\x07': must be one line"),
        ("queue", "is not valid TOML"),
    ],
)
def test_faults_of_a_site_file_name_file_key_and_value(tmp_path, text, said):
    file = tmp_path / "site.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_site(file)
    assert str(caught.value).startswith(str(file))
    assert said in str(caught.value)


def test_all_faults_of_a_site_file_are_said_at_once(tmp_path):
    file = tmp_path / "site.toml"
    file.write_text("workers = 0\ncores = 0")
    with pytest.raises(ConfigError) as caught:
        load_site(file)
    assert len(str(caught.value).splitlines()) == 2


if __name__ == "__main__":
    write_golden()
