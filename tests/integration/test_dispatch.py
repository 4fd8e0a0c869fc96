"""The same run by every engine on this machine, and who may reach it."""

import functools
import json
import os
import stat
import subprocess
import sys
import time

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import vip
from vip.config import DispatchSettings
from vip.dispatch import certificates, clusters
from vip.dispatch.dask import DaskWorkers
from vip.dispatch.mpi import launcher
from vip.dispatch.serial import Serial
from vip.dispatch.shares import Shares
from vip.errors import ConfigError, DispatchError, ForwardError
from vip.runs import engines
from vip.runs.build import build_forward

LOCAL = {"kind": "local", "workers": 2, "dashboard": None}
WRONG = {"PMI_RANK": "1", "OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "8"}


@pytest.fixture(scope="module")
def mpirun():
    """Launcher of so many ranks."""
    pytest.importorskip("mpi4py", reason="mpi4py is not installed")
    path = launcher()
    if path is None:
        pytest.skip("there is no mpirun")
    return lambda ranks: [path, "-n", str(ranks)]


def test_a_wrong_grouping_would_be_seen(troubled):
    """This test of the tests: the forward's values must differ between particles."""
    value, gradient = vip.load_problem(troubled.config()).forward(np.arange(12.0).reshape(2, 6))
    assert value[0] != value[1]
    assert (gradient[0] != gradient[1]).any()


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_local_workers_give_the_serial_samples(troubled, workers):
    troubled.run("serial")
    troubled.run("local", dispatch=LOCAL | {"workers": workers})
    assert_array_equal(troubled.samples("local"), troubled.samples("serial"))


@pytest.mark.parametrize("ranks", [1, 2, 5])
def test_mpi_ranks_give_the_serial_samples(troubled, command, mpirun, ranks):
    troubled.run("serial")
    done = command("run", troubled.config(), "-o", troubled.folder / "mpi", "--dispatch", "mpi", before=mpirun(ranks))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("finished") == 1
    assert_array_equal(troubled.samples("mpi"), troubled.samples("serial"))


SCRIPT = """
import sys
import numpy as np
import vip

if __name__ == "__main__":
    config, kind, file = sys.argv[1:]
    problem, settings = vip.load_problem(config), vip.DispatchSettings(kind=kind, **({"workers": 2} if kind == "local" else {}))
    data = vip.simulate(problem, problem.sample_prior(7, np.random.default_rng(0)), settings)
    narrow = vip.sample(lambda x: (-0.5 * (x**2).sum(axis=1), -x), 3, method="hmc", iterations=20, dispatch=settings)
    wide = vip.sample(lambda x: (-0.1 * (x**2).sum(axis=1), -0.2 * x), 2, method="hmc", iterations=20, dispatch=settings)
    np.savez(file, data=data, narrow=narrow.flat, wide=wide.flat)
    print("done")
"""


def test_a_script_simulates_and_samples_alike_on_all_engines(tmp_path, mpirun):
    """Three calls with three forwards; under mpirun every rank runs the script, and rank 0 alone comes to its end."""
    assert subprocess.run([sys.executable, "-m", "vip", "simulate", "tomo2d", tmp_path / "data"], check=False).returncode == 0
    script, config = tmp_path / "script.py", tmp_path / "data" / "tomo2d.toml"
    script.write_text(SCRIPT)

    def results(kind, before=()):
        file = tmp_path / f"{kind}.npz"
        line = [*before, sys.executable, script, config, kind, file]
        done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.split() == ["done"]
        return np.load(file)

    serial = results("serial")
    assert np.ptp(serial["data"], axis=0).min() > 0
    for other in (results("local"), results("mpi", mpirun(3))):
        for name in serial.files:
            assert_array_equal(other[name], serial[name])


def test_workers_name_the_models_that_they_cannot_simulate(tmp_path):
    (tmp_path / "half.py").write_text(
        "import numpy as np\nfrom vip.protocols import ModelSpace, Variable\n\n\nclass Half:\n"
        "    space, ndim = ModelSpace((Variable('x', '1'),)), 1\n    observed, sigma = np.zeros(2), np.ones(2)\n\n"
        "    @classmethod\n    def from_settings(cls, settings, base_dir):\n        return cls()\n\n"
        "    def simulate(self, models):\n        if (models < 0).any():\n            raise ValueError('negative')\n"
        "        return np.hstack([models, models])\n\n"
        "    def __call__(self, models):\n        return -models[:, 0], -np.ones_like(models)\n"
    )
    (tmp_path / "half.toml").write_text(
        '[forward]\nplugin = "./half.py:Half"\n[prior.x]\nkind = "uniform"\nlower = -1.0\nupper = 1.0\n'
        '[algorithm]\nname = "hmc"\n'
    )
    problem, models = vip.load_problem(tmp_path / "half.toml"), np.array([[0.1], [-0.2], [0.3], [-0.4]])
    for settings in ({"kind": "serial"}, LOCAL):
        with pytest.raises(ForwardError, match="negative") as caught:
            vip.simulate(problem, models, DispatchSettings(**settings))
        assert sorted(caught.value.reasons) == [1, 3]


def test_mpirun_alone_says_what_engine_is_meant(troubled, command, mpirun):
    done = command("run", troubled.config(), "-o", troubled.folder / "mpi", before=mpirun(2))
    assert done.returncode == 0, done.stderr
    assert "MPI: 2 ranks" in troubled.log("mpi")


def test_ranks_that_are_alone_are_refused(troubled, command, mpirun):
    """A mpirun of another MPI starts eight processes that know nothing of each other; this is what it tells them."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PMI", "OMPI"))}
    environment |= {"OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "8"}
    config = troubled.config()
    done = command("run", config, "-o", troubled.folder / "alone", "--dispatch", "mpi", env=environment)
    assert done.returncode == 1
    assert "8 processes were launched, but each is alone" in done.stderr
    assert not (troubled.folder / "alone").exists()


def test_a_wrong_configuration_is_told_once_by_mpi_ranks(troubled, command, mpirun):
    config = troubled.config(trouble_=1)
    done = command("run", config, "--dispatch", "mpi", before=mpirun(3))
    assert done.returncode != 0
    assert done.stderr.count("trouble_") == 1


def test_a_lost_rank_ends_the_run_which_resumes(troubled, command, mpirun):
    troubled.run("undisturbed")
    config = troubled.config(trouble="die", after=4)
    done = command("run", config, "-o", troubled.folder / "lost", "--dispatch", "mpi", before=mpirun(3))
    assert done.returncode != 0
    assert "if one is lost, mpirun ends the run and `vip resume` goes on" in done.stderr
    status = command("status", troubled.folder / "lost").stdout
    assert "killed; continue it with: vip resume" in status
    done = command("resume", troubled.folder / "lost", "--dispatch", "mpi", before=mpirun(2))
    assert done.returncode == 0, done.stderr
    assert_array_equal(troubled.samples("lost"), troubled.samples("undisturbed"))


def test_a_rank_that_hangs_ends_the_run_with_a_message(troubled, command, mpirun):
    troubled.run("undisturbed")
    config = troubled.config(trouble="hang", after=4)
    config.write_text(config.read_text() + '\n[dispatch]\nkind = "mpi"\ntimeout = 0.2\n')
    done = command("run", config, "-o", troubled.folder / "hung", before=mpirun(2))
    assert done.returncode != 0
    assert "gave no answer within 0.2 s a particle" in done.stderr
    done = command("resume", troubled.folder / "hung", "--dispatch", "serial")
    assert done.returncode == 0, done.stderr
    assert_array_equal(troubled.samples("hung"), troubled.samples("undisturbed"))


def test_the_scheduler_of_a_local_cluster_refuses_who_has_no_certificate():
    distributed = pytest.importorskip("distributed")
    with clusters.local(1, None, None) as client:
        address = client.scheduler.address
        assert address.startswith("tls://127.0.0.1:")
        with pytest.raises((OSError, TypeError, ValueError)):
            distributed.Client(address, timeout="3s", set_as_default=False)
        with pytest.raises((OSError, TypeError, ValueError)):
            distributed.Client(address, security=certificates.in_memory(), timeout="3s", set_as_default=False)
        with pytest.raises((OSError, TypeError, ValueError)):
            distributed.Client(address.replace("tls", "tcp"), timeout="3s", set_as_default=False)
        assert client.submit(lambda: 1 + 1).result() == 2


def test_certificates_of_a_run_are_its_users_alone_and_go_with_it(tmp_path):
    folder = tmp_path / "tls"
    certificates.made_for_run(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    (folder / "mine").touch()
    certificates.remove(folder)
    assert [file.name for file in folder.iterdir()] == ["mine"]


def test_an_external_scheduler_evaluates_over_tls(troubled, tmp_path):
    """Scheduler and worker as someone starts them by hand, with the certificates of a folder."""
    folder = tmp_path / "tls"
    certificates.made_for_run(folder)
    tls = [f"--tls-{key}={folder / name}" for key, name in (("ca-file", "ca.pem"), ("cert", "cert.pem"), ("key", "key.pem"))]
    file = tmp_path / "scheduler.json"
    start = [sys.executable, "-m", "distributed.cli"]
    scheduler = [f"{start[-1]}.dask_scheduler", "--protocol=tls", "--port=0", "--host=tls://127.0.0.1", "--no-dashboard", *tls]
    worker = [f"{start[-1]}.dask_worker", "--no-dashboard", *tls]
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": tmp_path}
    with (
        subprocess.Popen([*start[:2], *scheduler, "--scheduler-file", file], **options) as first,
        subprocess.Popen([*start[:2], *worker, "--scheduler-file", file], **options) as second,
    ):
        try:
            address = _address(file)
            troubled.run("serial")
            troubled.run("remote", dispatch={"kind": address, "certificates": folder})
            with pytest.raises(ConfigError, match="say in which folder"):
                troubled.run("without", dispatch={"kind": address})
            certificates.made_for_run(tmp_path / "other")
            with pytest.raises(DispatchError, match="cannot be reached"):
                troubled.run("stranger", dispatch={"kind": address, "certificates": tmp_path / "other"})
        finally:
            second.terminate()
            first.terminate()
    assert_array_equal(troubled.samples("remote"), troubled.samples("serial"))


def test_a_scheduler_without_tls_needs_an_explicit_flag(troubled):
    with pytest.raises(ConfigError, match="--insecure"):
        troubled.run("plain", dispatch={"kind": "tcp://127.0.0.1:1"})


def test_new_workers_join_a_run_that_has_begun(troubled):
    """It starts with the minimum and grows."""
    from distributed import LocalCluster

    problem = vip.load_problem(troubled.config(seconds=0.05))
    models = np.random.default_rng(0).standard_normal((20, 6))
    security = certificates.in_memory()
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=1, security=security, protocol="tls://", dashboard_address=None
        ) as cluster,
        clusters.remote(cluster.scheduler_address, security) as client,
        DaskWorkers(client, functools.partial(build_forward, problem.config, problem.path)) as dispatcher,
    ):
        expected = Serial(problem.forward).evaluate(models)
        before = dispatcher.evaluate(models)
        assert dispatcher.workers == 1
        cluster.scale(3)
        end = time.monotonic() + 120
        while dispatcher.workers < 3 and time.monotonic() < end:
            dispatcher.evaluate(models)
        assert dispatcher.workers == 3
        after = dispatcher.evaluate(models)
    for evaluation in (before, after):
        assert_array_equal(evaluation.log_likelihood, expected.log_likelihood)
        assert_array_equal(evaluation.gradient, expected.gradient)


@pytest.mark.parametrize(("seconds", "kind"), [(0.0, "serial"), (0.3, "local")])
def test_a_heavy_forward_gets_worker_processes_and_a_light_one_none(troubled, monkeypatch, seconds, kind):
    monkeypatch.setattr(engines, "available_cores", lambda: 4)
    problem = vip.load_problem(troubled.config(seconds=seconds))
    assert engines.choose(problem, DispatchSettings()).kind == kind
    assert engines.choose(problem, DispatchSettings(kind="mpi")).kind == "mpi"


def test_groups_hold_every_particle_once_and_the_costliest_start_first():
    rng = np.random.default_rng(3)
    for n, workers, batch in [(1, 4, 1), (20, 2, 16), (64, 64, 1), (100, 7, 16), (500, 40, 1)]:
        shares = Shares(batch)
        for _ in range(3):
            groups = shares.groups(n, workers)
            assert sorted(np.concatenate(groups)) == list(range(n))
            assert max(map(len, groups)) <= batch * -(-n // (workers * batch))
            for group in groups:
                shares.learn(group, float(rng.uniform(1, 4) * len(group)))
    shares = Shares()
    shares.groups(10, 2)
    for particle in range(10):
        shares.learn(np.array([particle]), 1.0 + particle)
    first, *_, last = shares.groups(10, 2)
    assert 9 in first
    assert last.tolist() == [0]


@pytest.mark.parametrize("known", [True, False])
def test_unequal_particles_keep_all_workers_busy(known):
    """Workers that take the next group when they are free end nearly together, in computed time."""
    rng = np.random.default_rng(8)
    n, workers = 512, 64
    seconds = rng.uniform(1.0, 4.0, n)
    shares = Shares()
    shares.groups(n, workers)
    for particle in range(n):
        shares.learn(np.array([particle]), seconds[particle])
    if not known:
        rng.shuffle(seconds)
    free = np.zeros(workers)
    for group in shares.groups(n, workers):
        free[free.argmin()] += seconds[group].sum()
    assert seconds.sum() / workers / free.max() > 0.9


def test_full_batches_stay_together():
    shares = Shares(batch=16)
    shares.groups(160, 4)
    for first in range(0, 160, 16):
        shares.learn(np.arange(first, first + 16), 1.0)
    assert {len(group) % 16 for group in shares.groups(160, 4)} == {0}
    assert len(shares.groups(160, 4)) > 4


def _address(file):
    for _ in range(600):
        if file.exists() and file.read_text():
            return json.loads(file.read_text())["address"]
        time.sleep(0.05)
    pytest.fail("the scheduler did not start")
