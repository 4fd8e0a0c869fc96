"""SLURM: sbatch, squeue, scancel, scontrol."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from vip.errors import ConfigError
from vip.jobs.amounts import parse_memory
from vip.jobs.batch import BatchScheduler
from vip.jobs.commands import call, end, write_script
from vip.jobs.contract import QueuedJob
from vip.jobs.resources import Resources
from vip.jobs.script import Dialect
from vip.jobs.site import Site

STATES = {
    "PENDING": "pending",
    "CONFIGURING": "pending",
    "RUNNING": "running",
    "COMPLETING": "ending",
    "SUSPENDED": "suspended",
}
"""Names of states for SLURM's words; any other state keeps SLURM's word."""

HOLDS = {"JobHeldUser", "JobHeldAdmin"}
"""Reasons for which a pending job is held."""

FIELDS = "%i|%j|%T|%r|%S|%V"
"""Fields of squeue: id, name, state, reason, time of start, time of submission. None can hold a bar: names are ours."""


class Slurm(BatchScheduler):
    """The scheduler SLURM, whose walltimes are whole minutes."""

    kind = "SLURM"
    dialect = Dialect(job_id="SLURM_JOB_ID", requeue='scontrol requeue "$job" && exit 0', warns=True)
    resolution = 60

    def driver_header(self, name: str, walltime: int, resources: Resources, site: Site, ranks: int) -> str:
        """See `BatchScheduler`."""
        if ranks:
            share = math.ceil(resources.memory / resources.cores)  # --mem is of a node, and SLURM chooses how many there are
            size = _size(ranks, resources.cores, "mem-per-cpu", share)
        else:
            size = [*_size(1, site.driver_cores, "mem", parse_memory(site.driver_memory)), "--nodes=1"]
        options = [f"--time={walltime // 60}", f"--signal=B:USR1@{site.warning}", "--requeue"]
        return _header(name, [*size, *options], resources, site)

    def settings(self, resources: Resources, ranks: int) -> list[str]:
        """See `BatchScheduler`: srun does not take it from the allocation since SLURM 22.05."""
        return [f"export SRUN_CPUS_PER_TASK={resources.cores}"] if ranks else []

    def worker_header(self, name: str, walltime: int, resources: Resources, site: Site) -> str:
        """See `BatchScheduler`."""
        size = [*_size(1, resources.cores, "mem", resources.memory), "--nodes=1"]
        return _header(name, [*size, f"--time={walltime // 60}", "--no-requeue"], resources, site)

    def submit(self, script: str, run_dir: Path) -> str:
        """See `vip.jobs.contract.Scheduler`."""
        file = write_script(script, run_dir)
        return call(["sbatch", "--parsable", str(file)]).strip().split(";")[0]  # "id;cluster" where there are several

    def listed(self, names: Sequence[str]) -> list[QueuedJob]:
        """See `BatchScheduler`."""
        command = ["squeue", "--noheader", f"--user={os.getuid()}", f"--name={','.join(names)}", f"--format={FIELDS}"]
        out = call(command, {"SLURM_TIME_FORMAT": "standard"})
        return [_queued(line.split("|")) for line in out.splitlines() if line.count("|") == FIELDS.count("|")]

    def cancel(self, name: str) -> list[str]:
        """See `vip.jobs.contract.Scheduler`.

        If a driver is running, only its script is signalled, which gives the driver the site's warning time. A plain scancel
        would signal every process at once, mpirun and its ranks too, and kill them after the cluster's KillWait, often 30 s.
        """
        found = [
            job for job in self.queued(name) if job.state != "ending" or job.name == name
        ]  # a driver that ends may be requeued
        saving = [job.id for job in found if job.name == name and job.state == "running"]
        others = [job.id for job in found if job.id not in saving]
        end(["scancel", "--batch", "--signal=TERM"], saving, lambda: self.queued(name))
        end(["scancel"], others, lambda: self.queued(name))
        return saving + others


def _size(tasks: int, cores: int, memory_option: str, memory: int) -> list[str]:
    return [f"--ntasks={tasks}", f"--cpus-per-task={cores}", f"--{memory_option}={math.ceil(memory / 1024**2)}M"]


def _header(name: str, options: list[str], resources: Resources, site: Site) -> str:
    """Lines of directives."""
    if resources.project:
        raise ConfigError("project", resources.project, "SLURM has accounts, not projects: set account")
    who = {"partition": resources.queue, "account": resources.account, "qos": site.qos}
    options = [f"--job-name={name}", "--output=/dev/null", *options]
    options += [f"--{key}={_directive(value)}" for key, value in who.items() if value is not None]
    return "\n".join(f"#SBATCH {option}" for option in [*options, *site.directives])


def _directive(value: str) -> str:
    """A value quoted as sbatch reads it: a backslash takes the next character literally (src/sbatch/opt.c, _get_argument)."""
    if re.fullmatch(r"[\w@%+=:,./-]+", value, re.ASCII):
        return value
    return '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'


def _queued(fields: list[str]) -> QueuedJob:
    number, name, state, reason, start, submitted = (field.strip() for field in fields)
    ours = STATES.get(state, state.lower())
    waiting = ours == "pending"
    if waiting and reason in HOLDS:
        ours = "held"
    return QueuedJob(number, name, ours, _time(submitted if waiting else start))


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:  # "N/A"
        return None
