"""What works on this machine."""

from __future__ import annotations

import importlib
import platform
import shutil
import subprocess
import sys
from importlib.metadata import entry_points
from typing import NamedTuple

from vip import jobs
from vip.data import data_dir, folder, is_there
from vip.dispatch.mpi import launcher
from vip.dispatch.serial import available_cores
from vip.errors import SchedulerError
from vip.plugins import COMMANDS, FORWARDS, REPORTS
from vip.protocols import HasNativeCode
from vip.runs.plugins import data_sets


class Finding(NamedTuple):
    """One thing that `vip doctor` looked at: whether it works, what was found, and what to do about it."""

    what: str
    works: bool
    found: str
    remedy: str = ""
    needed: bool = False


def diagnose() -> list[Finding]:
    """Look at compiler, native code, threads, MPI, schedulers, torch, GPU and data."""
    return [
        Finding("python", True, f"{platform.python_version()} on {platform.machine()}, {available_cores()} cores"),
        _program("C compiler", "gcc", ["--version"], "only to build from source: install gcc"),
        *_plugins(),
        *_commands(COMMANDS, "command"),
        *_commands(REPORTS, "report"),
        _openmp(),
        _blas(),
        _package("dask", "distributed", "pip install again: it is part of the core", needed=True),
        _mpi(),
        _scheduler("SLURM", "slurm"),
        _scheduler("Grid Engine", "sge"),
        _package("job queues", "dask_jobqueue", "for vip submit: pip install 'vip-inversion[cluster]'"),
        _torch(),
        _gpu(),
        *_data(),
    ]


def _plugins() -> list[Finding]:
    """Whether each forward plugin loads, and what its native code uses."""
    findings = []
    for entry in sorted(entry_points(group=FORWARDS)):
        try:
            plugin = entry.load()
        except Exception as error:  # a user's module may raise anything
            remedy = "build the native code: make build, or pip install again"
            findings.append(Finding(f"plugin {entry.name}", False, str(error), remedy, needed=True))
        else:
            native = plugin.native_code() if isinstance(plugin, HasNativeCode) else "pure Python"
            findings.append(Finding(f"plugin {entry.name}", True, native))
    return findings


def _commands(group: str, kind: str) -> list[Finding]:
    """Whether each command that a plugin brings loads."""
    findings = []
    for entry in sorted(entry_points(group=group)):
        try:
            entry.load()
        except Exception as error:  # a user's module may raise anything
            findings.append(
                Finding(f"{kind} {entry.name}", False, str(error), "install what it needs, or uninstall its plugin")
            )
        else:
            findings.append(Finding(f"{kind} {entry.name}", True, entry.module))
    return findings


def _openmp() -> Finding:
    from threadpoolctl import threadpool_info

    runtimes = {str(pool["prefix"]): pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "openmp"}
    found = ", ".join(f"{name} with {threads} threads" for name, threads in runtimes.items())
    return Finding(
        "OpenMP", bool(runtimes), found or "not in use", "" if runtimes else "build with a compiler that has -fopenmp"
    )


def _blas() -> Finding:
    import numpy as np
    from threadpoolctl import threadpool_info

    np.ones((2, 2)) @ np.ones((2, 2))
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    return Finding("BLAS", bool(pools), ", ".join(sorted({f"{p['internal_api']} {p['version']}" for p in pools})) or "unknown")


def _mpi() -> Finding:
    """Whether mpirun starts ranks that know of each other."""
    remedy = "for --dispatch mpi: pip install 'vip-inversion[mpi]', and load your site's MPI or pip install mpich"
    library = _package("MPI", "mpi4py", remedy)
    if not library.works:
        return library
    path = launcher()
    if path is None:
        return Finding("MPI", False, f"{library.found}, no mpirun", remedy)
    script = (  # one write of one rank: those of several may mix
        "from mpi4py import MPI; import sys; w = MPI.COMM_WORLD;"
        " w.rank or sys.stdout.write(f'{w.size} {MPI.Get_library_version().splitlines()[0]}\\n')"
    )
    try:
        done = subprocess.run(
            [path, "-n", "2", sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
        )
    except subprocess.TimeoutExpired:
        return Finding("MPI", False, f"{path} -n 2 gave no answer", "launch a trivial program with it; ask your administrator")
    if not done.stdout.startswith("2 "):
        alone = "its ranks do not know of each other" if done.stdout.startswith("1 ") else done.stderr.strip()[-100:]
        return Finding("MPI", False, f"{path}: {alone}", "use the mpirun of the MPI that mpi4py was made for")
    return Finding("MPI", True, f"{library.found}, {path}, {done.stdout.splitlines()[0][2:].strip()}")


def _scheduler(what: str, name: str) -> Finding:
    """Whether a job scheduler answers here."""
    try:
        jobs.scheduler(name).queued("vip-doctor")
    except SchedulerError as error:
        return Finding(what, False, str(error)[:100], "for vip submit: run it where jobs are submitted, on a login node")
    return Finding(what, True, "it answers")


def _package(what: str, module: str, remedy: str, needed: bool = False) -> Finding:
    try:
        version = getattr(importlib.import_module(module), "__version__", "installed")
    except (ImportError, RuntimeError) as error:  # mpi4py raises RuntimeError where there is no MPI library
        return Finding(what, False, str(error).splitlines()[0], remedy, needed)
    return Finding(what, True, f"{module} {version}")


def _program(what: str, name: str, arguments: list[str], remedy: str) -> Finding:
    path = shutil.which(name)
    if path is None:
        return Finding(what, False, f"no {name}", remedy)
    output = subprocess.run([path, *arguments], capture_output=True, text=True, check=False, timeout=20)
    first = (output.stdout or output.stderr).strip().splitlines()
    return Finding(what, True, first[0] if first else path)


def _torch() -> Finding:
    return _package("torch", "torch", "pip install 'vip-inversion[neural]' for normalising flows and EikoNet")


def _gpu() -> Finding:
    try:
        import torch
    except ImportError:
        return Finding("GPU", False, "needs torch to be seen", "install torch if this machine has a GPU")
    if not torch.cuda.is_available():
        return Finding("GPU", False, "torch sees none", "nothing to do: everything runs on the CPU")
    return Finding("GPU", True, torch.cuda.get_device_name(0))


def _data() -> list[Finding]:
    """Findings on data sets: where they are kept, and whether each that a plugin knows is there."""
    findings = [Finding("data", True, str(data_dir()))]
    for name, data_set in sorted(data_sets().items()):
        there = is_there(name, data_set)
        found = str(folder(name)) if there else "not downloaded"
        findings.append(Finding(f"data {name}", there, found, "" if there else f"for the real example: vip data {name}"))
    return findings
