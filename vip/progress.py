"""How far a run is, read from its directory: by its owner or by anyone else."""

from __future__ import annotations

from datetime import datetime, timedelta

from vip.config import load_config
from vip.store import Store

RECENT = 50
"""Iterations over which the time per iteration is averaged."""


def run_status(store: Store) -> dict[str, str]:
    """Status, iterations, log-posterior and times of a run, as text by name."""
    checkpoint, metrics = store.checkpoint(), store.metrics()
    algorithm = load_config(store.path / "config.toml").algorithm
    total = algorithm.iterations
    done = len(metrics)
    status = checkpoint.status if checkpoint else "running"
    if status == "running" and not store.is_locked:
        status = f"killed; continue it with: vip resume {store.path}"
    rows = {
        "run": str(store.path),
        "algorithm": algorithm.name,
        "status": status,
        "iteration": f"{done} of {total}, saved to {checkpoint.iteration if checkpoint else 0}",
    }
    if metrics:
        seconds = sum(line["seconds"] for line in metrics[-RECENT:]) / len(metrics[-RECENT:])
        rows["log-posterior"] = f"{metrics[-1]['log_density']:.1f}"
        rows["step"] = f"{metrics[-1]['step']:.3g}"
        rows["time per iteration"] = f"{seconds:.4g} s"
        if store.is_locked:
            left = timedelta(seconds=round(seconds * (total - done)))
            rows["estimated finish"] = f"{datetime.now() + left:%Y-%m-%d %H:%M:%S} (in {left})"
    return rows
