"""What works on this machine."""

from __future__ import annotations

import importlib
import platform
import shutil
import subprocess
from importlib.metadata import entry_points
from typing import NamedTuple

from vip.data import data_dir
from vip.dispatch.serial import available_cores
from vip.plugins import GROUP


class Finding(NamedTuple):
    """One thing looked at."""

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
        _openmp(),
        _blas(),
        _package("MPI", "mpi4py", "nothing to do: dispatch to MPI ranks is yet to come"),
        _program("mpirun", "mpirun", ["--version"], "nothing to do: dispatch to MPI ranks is yet to come"),
        _program("SLURM", "sbatch", ["--version"], "nothing to do: submitting jobs is yet to come"),
        _program("Grid Engine", "qsub", ["-help"], "nothing to do: submitting jobs is yet to come"),
        _package("dask", "distributed", "nothing to do: dispatch to Dask workers is yet to come"),
        _package("job queues", "dask_jobqueue", "nothing to do: submitting jobs is yet to come"),
        _torch(),
        _gpu(),
        _data(),
    ]


def _plugins() -> list[Finding]:
    """Whether each forward plugin loads, and what its native code uses."""
    findings = []
    for entry in sorted(entry_points(group=GROUP)):
        try:
            plugin = entry.load()
        except ImportError as error:
            remedy = "build the native code: make build, or pip install again"
            findings.append(Finding(f"plugin {entry.name}", False, str(error), remedy, needed=True))
        else:
            native = plugin.native_code() if hasattr(plugin, "native_code") else "pure Python"
            findings.append(Finding(f"plugin {entry.name}", True, native))
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
    return _package("torch", "torch", "nothing to do: no plugin needs it yet")


def _gpu() -> Finding:
    try:
        import torch
    except ImportError:
        return Finding("GPU", False, "needs torch to be seen", "install torch if this machine has a GPU")
    if not torch.cuda.is_available():
        return Finding("GPU", False, "torch sees none", "nothing to do: everything runs on the CPU")
    return Finding("GPU", True, torch.cuda.get_device_name(0))


def _data() -> Finding:
    there = (data_dir() / "british_isles" / "ttimes.txt").is_file()
    return Finding("data", there, str(data_dir()), "" if there else "for the real example: vip data british-isles")
