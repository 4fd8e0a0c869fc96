"""Progress of a run, read from its directory, by its owner or by anyone else."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from vip.config import Config, load_config
from vip.runs.store import Store

RECENT = 50
"""Number of iterations over which the time per iteration is averaged."""


def run_config(store: Store) -> Config:
    """Configuration that a run has kept, with the iterations that the run was extended to.

    Raises
    ------
    ConfigError
        If it holds a fault.
    """
    folder = Path(store.provenance["config"]).parent
    config, extension = load_config(store.path / "config.toml", folder), store.extension
    if extension is None:
        return config
    algorithm = config.algorithm.model_copy(update={"iterations": extension.iterations})
    return config.model_copy(update={"algorithm": algorithm})


def run_status(store: Store) -> dict[str, str]:
    """Status, iterations, log-posterior and times of a run, as text by name."""
    checkpoint, metrics = store.checkpoint(), store.metrics()
    name, total = _method(store)
    done = len(metrics)
    running, saved = store.is_locked, checkpoint.iteration if checkpoint else 0
    status = "running" if running or checkpoint is None else checkpoint.status
    if not running and (status == "running" or done > saved):
        status = f"killed; continue it with: vip resume {store.path}"
    rows = {
        "run": str(store.path),
        "algorithm": name,
        "status": status,
        "iteration": f"{done} of {total}, saved to {saved}",
    }
    if metrics:
        seconds = sum(line["seconds"] for line in metrics[-RECENT:]) / len(metrics[-RECENT:])
        rows["log-posterior"] = f"{metrics[-1]['log_density']:.1f}"
        rows["step"] = f"{metrics[-1]['step']:.3g}"
        rows["time per iteration"] = f"{seconds:.4g} s"
        if "remaining" in metrics[-1]:  # such a run ends by itself, long before its last iteration
            rows["evidence"] = f"{metrics[-1]['log_evidence']:.2f} (log) so far, at most {metrics[-1]['remaining']:.2%} left"
        elif running:
            left = timedelta(seconds=round(seconds * (total - done)))
            rows["estimated finish"] = f"{datetime.now() + left:%Y-%m-%d %H:%M:%S} (in {left})"
    return rows


def _method(store: Store) -> tuple[str, int]:
    """Name of a run's method, and the number of iterations that it is to do."""
    if "objects" in store.provenance:
        method, extension = store.provenance["objects"]["method"], store.extension
        return method["name"], extension.iterations if extension else method["iterations"]
    algorithm = run_config(store).algorithm
    return algorithm.name, algorithm.iterations
