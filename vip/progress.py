"""How far a run is, read from its directory: by its owner or by anyone else."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np

from vip.config import load_config
from vip.store import Store

MIN_TRACE = 20
"""Iterations after burn-in that are needed to judge them."""

RECENT = 50
"""Iterations over which the time per iteration is averaged."""


def run_status(store: Store) -> dict[str, str]:
    """Status, iterations, log-posterior and times of a run, as text by name."""
    checkpoint, metrics = store.checkpoint(), store.metrics()
    algorithm = load_config(store.path / "config.toml").algorithm
    total = algorithm.iterations
    done = len(metrics)
    running, saved = store.is_locked, checkpoint.iteration if checkpoint else 0
    status = "running" if running or checkpoint is None else checkpoint.status
    if not running and (status == "running" or done > saved):
        status = f"killed; continue it with: vip resume {store.path}"
    rows = {
        "run": str(store.path),
        "algorithm": algorithm.name,
        "status": status,
        "iteration": f"{done} of {total}, saved to {saved}",
    }
    if metrics:
        seconds = sum(line["seconds"] for line in metrics[-RECENT:]) / len(metrics[-RECENT:])
        rows["log-posterior"] = f"{metrics[-1]['log_density']:.1f}"
        rows["step"] = f"{metrics[-1]['step']:.3g}"
        rows["time per iteration"] = f"{seconds:.4g} s"
        if running:
            left = timedelta(seconds=round(seconds * (total - done)))
            rows["estimated finish"] = f"{datetime.now() + left:%Y-%m-%d %H:%M:%S} (in {left})"
    return rows


def is_still_rising(store: Store) -> bool:
    """Whether the log-posterior rose between the two halves of the iterations after burn-in, by more than it scatters."""
    algorithm = load_config(store.path / "config.toml").algorithm
    trace = np.array([line["log_density"] for line in store.metrics()])[getattr(algorithm, "burn_in", 0) :]
    if algorithm.name != "ssvgd" or len(trace) < MIN_TRACE:
        return False
    first, second = np.array_split(trace, 2)
    return bool(second.mean() - first.mean() > second.std())
