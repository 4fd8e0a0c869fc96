"""Data that models predict, simulated wherever particles are evaluated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vip.config import DispatchSettings
from vip.errors import ForwardError
from vip.protocols import Floats
from vip.runs import engines

if TYPE_CHECKING:
    from vip.runs.problem import Problem


def simulate(problem: Problem, models: Floats, dispatch: DispatchSettings | None = None) -> Floats:
    """Data (n, n_data) that models (n, d) predict: predictions, training sets, synthetic data.

    Parameters
    ----------
    problem : Problem
    models : (n, d) float
        Models in physical units.
    dispatch : DispatchSettings, optional
        Who simulates; this process without it. The data do not depend on it, to the last bit.

    Raises
    ------
    ForwardError
        If the forward fails for a model; the message says which.
    DispatchError
        If the forward does not predict data.
    """
    settings = dispatch or DispatchSettings(kind="serial")
    engines.serve_as_rank(problem, settings)
    with engines.dispatcher(problem, settings, None) as dispatcher:
        simulation = dispatcher.simulate(models)
    if simulation.failures:
        error = ForwardError(simulation.failures)
        error.models = models[sorted(simulation.failures)]
        raise error
    return simulation.data
