"""Exact Gaussian processes with Matern-3/2 kernels (Rasmussen & Williams 2006, algorithm 2.1 and eq. 5.9).

A kernel is a sum of parts; each part looks at some columns of the inputs, with a length for each column (automatic relevance
determination: Spurio Mancini et al. 2021, eq. 2 and 3). All outputs of a process share one kernel.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from vip.protocols import Floats

COINCIDENT = 1e-20
"""Number added to squared distances, so that the root has a gradient where two places are the same."""
LEAST_NOISE = 1e-7
"""Least variance of the noise, over that of the outputs: less, and Cholesky factors fail."""
LONGEST, SHORTEST = 1e3, 1e-2
"""Longest and shortest length of a kernel, in standard deviations of the inputs."""
STARTS = ((-6.0, 0.0), (-12.0, 1.0))
"""Logarithms of noise and lengths from which the search begins: the likelihood has more than one maximum."""
ITERATIONS = 50
"""Number of iterations of L-BFGS from each start, at most."""
AT_MOST = 700
"""Number of points from which hyperparameters are learnt, since time grows with its cube; the process itself sees all."""
TOO_FAR, TRIALS = 12.0, 3
"""Residual, over the median of all, from which on an output is left out; and how often that is decided."""

Parts = Sequence[Sequence[int]]
"""Columns of the inputs that each part of a kernel looks at."""


class Process(NamedTuple):
    """A Gaussian process that has seen its data.

    Attributes
    ----------
    parts : sequence of sequences of int
    variances : (n_parts,) tensor
    lengths : (n_columns,) tensor
        Lengths, those of the first part first.
    inputs : (n, d) tensor
    weights : (n, m) tensor
        Inverse of the covariance of the data, times the outputs less their mean.
    mean : (m,) tensor
    """

    parts: Parts
    variances: Any
    lengths: Any
    inputs: Any
    weights: Any
    mean: Any

    def __call__(self, inputs: Any) -> Any:
        """Mean (q, m) of the outputs at `inputs` (q, d), for automatic differentiation; of the dtype of the weights."""
        covariance = kernel(self.parts, self.variances, self.lengths, inputs, self.inputs)
        return self.mean + covariance.to(self.weights.dtype) @ self.weights

    def tensors(self, name: str) -> dict[str, Any]:
        """Tensors by name, from which `named` makes the process again; the inputs are not among them."""
        kept = {"variances": self.variances, "lengths": self.lengths, "weights": self.weights, "mean": self.mean}
        return {f"{name}.{key}": tensor for key, tensor in kept.items()}


def named(name: str, parts: Parts, inputs: Any, tensors: Mapping[str, Any]) -> Process:
    """Process of which `tensors` holds what `Process.tensors` gave."""
    variances, lengths, weights, mean = (tensors[f"{name}.{key}"] for key in ("variances", "lengths", "weights", "mean"))
    return Process(parts, variances, lengths, inputs, weights, mean)


def kernel(parts: Parts, variances: Any, lengths: Any, a: Any, b: Any) -> Any:
    """Covariance (n, q) between places a (n, d) and b (q, d)."""
    import torch

    total = 0
    for columns, variance, length in zip(parts, variances, lengths.split([len(part) for part in parts]), strict=True):
        u, v = a[:, columns] / length, b[:, columns] / length
        squared = ((u**2).sum(1)[:, None] + (v**2).sum(1) - 2 * u @ v.T).clamp(min=0)
        distance = math.sqrt(3) * torch.sqrt(squared + COINCIDENT)
        total = total + variance * (1 + distance) * torch.exp(-distance)
    return total


def conditioned(parts: Parts, logarithms: Any, inputs: Any, outputs: Any) -> Process:
    """Process that has seen outputs (n, m) at inputs (n, d), given logarithms of noise, variances of parts, and lengths.

    Noise and variances are those of outputs that are divided by their largest standard deviation.
    """
    import torch

    _, variances, lengths = _split(parts, logarithms)
    mean, scale = outputs.mean(0), _scale(outputs)
    weights = torch.cholesky_solve(outputs - mean, _factor(parts, logarithms, inputs))
    return Process(parts, variances * scale**2, lengths, inputs, weights / scale**2, mean)


def left_out(parts: Parts, logarithms: Any, inputs: Any, outputs: Any) -> Any:
    """Outputs (n, m), each less what all others predict for it (eq. 5.12)."""
    import torch

    factor = _factor(parts, logarithms, inputs)
    weights = torch.cholesky_solve(outputs - outputs.mean(0), factor)
    return weights / torch.cholesky_inverse(factor).diagonal()[:, None]


def fit(parts: Parts, inputs: Any, outputs: Any, seed: int, at_most: int = AT_MOST) -> Process:
    """Process whose hyperparameters have the largest marginal likelihood.

    Parameters
    ----------
    parts : sequence of sequences of int
    inputs : (n, d) tensor
        Inputs of a standard deviation of about one.
    outputs : (n, m) tensor
    seed : int
        Seed of the choice of points.
    at_most : int
        Number of points, drawn at random, from which hyperparameters are learnt.
    """
    return conditioned(parts, learnt(parts, inputs, outputs, seed, at_most), inputs, outputs)


def fit_most(parts: Parts, inputs: Any, outputs: Any, seed: int, least: float) -> Process:
    """Process as of `fit`, of one output (n, 1), that has not seen outputs far from what the others predict for them.

    "Far" means `TOO_FAR` times what is usual, and `least` besides. The weights of what was left out are zero.
    """
    import torch

    seen = torch.ones(len(inputs), dtype=torch.bool)
    for _ in range(TRIALS):
        logarithms = learnt(parts, inputs[seen], outputs[seen], seed)
        wrong = left_out(parts, logarithms, inputs[seen], outputs[seen])[:, 0].abs()
        far = wrong > TOO_FAR * wrong.median() + least
        if not far.any():
            break
        seen[seen.clone()] = ~far
    process = conditioned(parts, logarithms, inputs[seen], outputs[seen])
    weights = torch.zeros(outputs.shape, dtype=outputs.dtype)
    weights[seen] = process.weights
    return process._replace(inputs=inputs, weights=weights)


def learnt(parts: Parts, inputs: Any, outputs: Any, seed: int, at_most: int = AT_MOST) -> Any:
    """Logarithms of noise, variances of parts, and lengths, of the largest marginal likelihood; see `fit`."""
    import torch
    from scipy.optimize import minimize

    chosen = np.sort(np.random.default_rng(seed).permutation(len(inputs))[:at_most])
    x, y = inputs[chosen], (outputs[chosen] - outputs[chosen].mean(0)) / _scale(outputs[chosen])

    columns = sum(len(part) for part in parts)
    bounds = [
        (math.log(LEAST_NOISE), 0.0),
        *[(-9.0, 9.0)] * len(parts),
        *[(math.log(SHORTEST), math.log(LONGEST))] * columns,
    ]
    found = []
    for noise, length in STARTS:
        start = np.concatenate([[noise], np.full(len(parts), 2 * length - math.log(len(parts))), np.full(columns, length)])
        options = {"maxiter": ITERATIONS}
        found.append(minimize(_misfit, start, (parts, x, y), jac=True, method="L-BFGS-B", bounds=bounds, options=options))
    return torch.tensor(min(found, key=lambda each: each.fun).x)


def _misfit(logarithms: Floats, parts: Parts, x: Any, y: Any) -> tuple[float, Floats]:
    """Negative logarithm of the marginal likelihood, over the count of numbers, and its gradient (eq. 5.8 and 5.9)."""
    import torch

    at = torch.tensor(logarithms, requires_grad=True)
    noise, variances, lengths = _split(parts, at)
    covariance = kernel(parts, variances, lengths, x, x) + noise * torch.eye(len(x), dtype=x.dtype)
    with torch.no_grad():
        factor, failed = torch.linalg.cholesky_ex(covariance)
        if failed:
            return math.inf, np.zeros(len(logarithms))
        weights, count = torch.cholesky_solve(y, factor), y.numel()
        value = (y * weights).sum() / 2 + y.shape[1] * torch.log(factor.diagonal()).sum()
        by_covariance = (y.shape[1] * torch.cholesky_inverse(factor) - weights @ weights.T) / (2 * count)
    covariance.backward(by_covariance)
    return float(value) / count, np.asarray(at.grad)


def _factor(parts: Parts, logarithms: Any, inputs: Any) -> Any:
    """Cholesky factor (n, n) of the covariance of data at inputs (n, d)."""
    import torch

    noise, variances, lengths = _split(parts, logarithms)
    covariance = kernel(parts, variances, lengths, inputs, inputs) + noise * torch.eye(len(inputs), dtype=inputs.dtype)
    return torch.linalg.cholesky(covariance)


def _scale(outputs: Any) -> Any:
    """Largest standard deviation of the outputs, or one where they are constant."""
    largest = outputs.std(0).max()
    return largest if largest > 0 else largest + 1


def _split(parts: Parts, logarithms: Any) -> tuple[Any, Any, Any]:
    """Noise variance, variances of parts, and lengths, from their logarithms."""
    values = logarithms.exp()
    return values[0], values[1 : 1 + len(parts)], values[1 + len(parts) :]
