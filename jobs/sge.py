"""Grid Engine: qsub, qstat, qdel."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from vip.errors import ConfigError, SchedulerError
from vip.jobs.amounts import parse_memory
from vip.jobs.batch import BatchScheduler
from vip.jobs.commands import call, end, user_name, write_script
from vip.jobs.contract import QueuedJob
from vip.jobs.resources import Resources
from vip.jobs.script import Dialect
from vip.jobs.site import Site


class GridEngine(BatchScheduler):
    """The scheduler Grid Engine. Ranks are on one node if the site's parallel environment keeps them there."""

    kind = "SGE"
    dialect = Dialect(job_id="JOB_ID", requeue="exit 99", warns=False)
    """Dialect of Grid Engine, where a job that exits with 99 goes back into the queue (qsub(1), -r).

    Its own warning, at ``s_rt``, comes once: when that passes in a job that was requeued to the same host, version 8.1.9 ends
    the job as if the walltime had passed.
    """

    def driver_header(self, name: str, walltime: int, resources: Resources, site: Site, ranks: int) -> str:
        """See `BatchScheduler`."""
        slots = ranks * resources.cores if ranks else site.driver_cores
        memory = ranks * resources.memory if ranks else parse_memory(site.driver_memory)
        return _header(name, slots, memory, ["-notify", "-r y"], resources, site)

    def worker_header(self, name: str, walltime: int, resources: Resources, site: Site) -> str:
        """See `BatchScheduler`."""
        return _header(name, resources.cores, resources.memory, ["-r n"], resources, site)

    def submit(self, script: str, run_dir: Path) -> str:
        """See `vip.jobs.contract.Scheduler`."""
        file = write_script(script, run_dir)
        said = call(["qsub", "-terse", str(file)]).split()
        if not said or not said[-1].isdigit():
            raise SchedulerError(f"qsub: no job id in its answer: {' '.join(said)}")
        return said[-1]

    def listed(self, names: Sequence[str]) -> list[QueuedJob]:
        """See `BatchScheduler`."""
        out = call(["qstat", "-xml", "-u", user_name()])
        try:
            jobs = [_queued(job) for job in ElementTree.fromstring(out).iter("job_list")]
        except (ElementTree.ParseError, KeyError) as error:
            raise SchedulerError(f"qstat: its answer cannot be read: {error}") from error
        return [job for job in jobs if job.name in names]

    def cancel(self, name: str) -> list[str]:
        """See `vip.jobs.contract.Scheduler`. A running driver has as long as its queue's ``notify`` says, 60 s by default."""
        ids = [job.id for job in self.queued(name) if job.state != "ending"]
        end(["qdel"], ids, lambda: self.queued(name))
        return ids


def _header(name: str, slots: int, memory: int, options: list[str], resources: Resources, site: Site) -> str:
    """Lines of directives.

    The option -S is there since a queue's own shell may be any; -V, as in SLURM, since a driver has to find qsub and mpirun.
    """
    if site.qos:
        raise ConfigError("qos", site.qos, "Grid Engine has none")
    who = {"-q": resources.queue, "-A": resources.account, "-P": resources.project}
    lines = [f"-N {name}", "-S /bin/bash", "-V", "-j y", "-o /dev/null", f"-l h_rt={resources.walltime}", *options]
    lines += [f"{option} {_directive(value, option)}" for option, value in who.items() if value is not None]
    if slots > 1:
        lines += [f"-pe {_directive(site.parallel_environment, 'parallel_environment')} {slots}"]
    if site.memory_resource:  # of each slot
        lines += [f"-l {_directive(site.memory_resource, 'memory_resource')}={math.ceil(memory / slots / 1024**2)}M"]
    return "\n".join(f"#$ {line}" for line in [*lines, *site.directives])


def _directive(value: str, key: str) -> str:
    """A value that qsub reads verbatim: it strips quotes in a directive, cuts it at #, and accepts no names with spaces."""
    if not re.fullmatch(r"[^\s\"'\\#/]+", value) or value.startswith("-"):
        raise ConfigError(key, value, "Grid Engine has no names with spaces, quotes, \\, # or /")
    return value


def _queued(job: ElementTree.Element) -> QueuedJob:
    """A job of qstat's list; a waiting one has a time of submission, a running one a time of start."""
    fields = {field.tag: field.text or "" for field in job}
    time = fields.get("JAT_start_time") or fields.get("JB_submission_time")
    since = datetime.fromisoformat(time) if time else None
    return QueuedJob(fields["JB_job_number"], fields["JB_name"], _state(fields["state"]), since)


def _state(letters: str) -> str:
    """Name of a state for Grid Engine's letters (qstat(1)), of which a job has several; R marks one that was requeued."""
    words = {"E": "error", "d": "ending", "h": "held", "s": "suspended", "S": "suspended", "T": "suspended"}
    words |= {"q": "pending", "w": "pending", "r": "running", "t": "running"}
    return next((word for letter, word in words.items() if letter in letters), letters)
