"""What a prediction leaves behind: samples as NetCDF, and a page of maps, data fit and warnings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from vip.amortised.prediction import Prediction
from vip.diagnose.statistics import chi2_range
from vip.files import whole
from vip.pages.page import write_page
from vip.pages.style import Picture
from vip.protocols import InfersNoise
from vip.runs.result import Result, label

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
MOST_NUMBERS = 12
"""Largest number of values of a variable that are told one by one."""
HEADLINES = {
    "predicted": "Predicted: draws of the network, whose likelihood is not exact; --correct makes it so",
    "reweighted": "Reweighted: draws of the network with importance weights of the exact likelihood",
    "sampled": "Sampled: chains with the exact likelihood, begun at draws of the network",
}


def write_prediction(prediction: Prediction, directory: Path, title: str, about: Mapping[str, str], configuration: str) -> Path:
    """Write ``posterior.nc``, figures and ``index.html``.

    Parameters
    ----------
    prediction : Prediction
    directory : Path
        Folder; it is made if it is not there.
    title : str
    about : mapping
        Names and values that come first in the summary: how grid and prior were chosen, for instance.
    configuration : str
        Configuration of the problem, shown at the end.

    Returns
    -------
    Path
        Path of the page.
    """
    from vip.report.findings import Findings

    directory.mkdir(parents=True, exist_ok=True)
    findings = Findings(prediction.result)
    with whole(directory / "posterior.nc") as part:
        to_datatree(prediction).to_netcdf(part, engine="h5netcdf")
    rows = {**about, **prediction.facts, **_numbers(prediction.result)}
    if findings.fit is not None:
        rows |= _fit_rows(prediction, findings.fit.chi2_after, findings.fit.chi2_before, len(findings.fit.observed))
    return write_page(
        directory,
        title,
        HEADLINES[prediction.how],
        rows,
        _pictures(findings),
        notes=[f"Warning: {warning}" for warning in prediction.warnings],
        configuration=configuration,
    )


def to_datatree(prediction: Prediction) -> xr.DataTree:
    """Samples, prior, data and predictions in the schema of `vip export`, with mean, deviation and quantiles of each entry."""
    result = prediction.result
    tree = result.to_datatree()
    variables, unpack = result.problem.space.variables, result.problem.space.unpack
    quantiles = np.quantile(result.equal(), QUANTILES, axis=0)
    names = ("mean", "std", "quantiles")
    values = (result.mean_model, result.std_model, quantiles)
    for name, value in zip(names, values, strict=True):
        leading = ("quantile",) if value.ndim == 2 else ()
        dataset = label(variables, unpack(value), leading)
        tree[name] = xr.DataTree(dataset.assign_coords(quantile=list(QUANTILES)) if leading else dataset)
    tree.attrs.update(how=prediction.how, warnings="\n".join(prediction.warnings), **prediction.facts)
    return tree


def _numbers(result: Result) -> dict[str, str]:
    """Mean and standard deviation of all variables that are numbers, such as the scale of the noise."""
    space, rows = result.problem.space, {}
    mean, std = (space.unpack(vector) for vector in (result.mean_model, result.std_model))
    for variable in space.variables:
        if len(variable.dims) <= 1 and variable.size <= MOST_NUMBERS:
            labels = variable.coords[variable.dims[0]] if variable.dims else [""]
            values = zip(labels, np.ravel(mean[variable.name]), np.ravel(std[variable.name]), strict=True)
            rows[variable.long_name or variable.name] = "; ".join(f"{a}{': ' * bool(a)}{m:.3g} ± {s:.2g}" for a, m, s in values)
    return rows


def _fit_rows(prediction: Prediction, after: float, before: float, n: int) -> dict[str, str]:
    low, high = chi2_range(n)
    expected = f"{low:.2f} to {high:.2f} is expected of the posterior"
    forward = prediction.result.problem.forward
    if isinstance(forward, InfersNoise) and forward.unknown_noise:
        expected = "with sigma as given, and its scale is unknown"
    return {"Data fit": f"χ² per datum {after:.3g}, from {before:.3g} over the prior; {expected}; {n:,} data"}


def _pictures(findings: object) -> Iterator[Picture]:
    from vip.report import fit, maps, marginals, truth
    from vip.report.page import own

    figures: list[Callable[..., Iterator[Picture]]] = [
        maps.moments,
        maps.contraction,
        maps.samples,
        fit.residuals,
        own,
        truth.rows,
        marginals.numbers,
    ]
    for draw in figures:
        yield from draw(findings)
