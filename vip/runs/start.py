"""Models that a run starts from."""

from __future__ import annotations

import numpy as np

from vip.algorithms.tempered import spread
from vip.protocols import Floats, Separates


def separate_start(forward: Separates, n: int, rng: np.random.Generator) -> Floats:
    """Models (n, d) drawn from the posterior of each independent problem of a forward, see `vip.algorithms.tempered`.

    Examples
    --------
    Two problems of one unknown, measured as 3 and 7 with an error of 0.1::

        models = separate_start(forward, 200, rng)
        models.mean(axis=0)  # about [3, 7]
    """
    problems = np.unique(forward.groups)
    entries = np.argsort(forward.groups, kind="stable").reshape(len(problems), -1)
    lower, upper = (
        np.concatenate([np.ravel(forward.bounds[v.name][end]) for v in forward.space.variables])[entries] for end in (0, 1)
    )
    models = np.empty((n, forward.groups.size))
    models[:, entries] = spread(forward.log_likelihood, lower, upper, n, rng)
    return models
