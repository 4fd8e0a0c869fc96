"""The network: corrections, learnt from simulated surveys, to repeated linearised inversions.

The posterior of the normal scores z of the velocities is taken as a Gaussian, whose precision is K^-1 + J' R^-1 J + E with the
prior's covariance K. J are the Jacobians of the path times (n_paths x nodes), R and E are diagonal. Each stage linearises the
times about what the stage before it found: first along straight rays, then along exact rays through the mean, then along those
through draws (see `linearise`). In each stage a graph neural network, whose nodes are paths and cells and whose edges are rays,
learns what a linearised inversion has wrong: how far to trust each path (R), how its time differs from the line (bent rays are
early), how the rays' sensitivity is shared out (J), what else is known of a cell (E), and where the mean is off. All that it
adds vanishes where there is no ray, so that the prior comes back exactly.

Functions here take NumPy arrays as well as torch tensors, whose library is the argument `xp`: training and inference run the
same lines, and inference needs no torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from vip.forward.tomo2d.amortised.graph import (
    Survey,
    edge_distance,
    mean_slowness,
    neighbours,
    node_spacing,
    plan,
    straight_rays,
)
from vip.forward.tomo2d.amortised.linearise import Linear, antithetic, by_draws, straight
from vip.protocols import Floats

TINY = 1e-9

KINDS = 3
"""Number of kinds of stages, each with its weights: straight rays, rays through the mean, and through draws."""

START = 2.5, 1.8, 1.3
"""Factors on the standard deviations of data with which each kind of stage begins, before anything is learnt."""

TAILS = (0.0, -1.2, -2.4)
"""Logarithms of the factors on the precision of all data in components of the last kind of stage, before anything is learnt:
rays are now and then far from where they are taken to be, and then all paths together mislead."""
TAIL_WEIGHT = -2.5
"""Logarithm of the weight of each component over that of the one before it, before anything is learnt."""

NEWEST = 0.6
"""Share of the newest linearisation with exact rays; those before it have the rest, so that more draws count."""


class Shape(NamedTuple):
    """Everything about a network but its weights.

    Attributes
    ----------
    draws : tuple of int
        Number of draws through which the exact rays are traced in each stage after the first, which has straight rays;
        1 stands for the mean alone.
    width : int
        Number of features of a path and of a cell.
    rounds : int
        Number of times that paths and cells exchange messages in a stage.
    gates : int
        Rank of the changes of the Jacobian.
    refinement : int
        Refinement of the grid of the eikonal kernel.
    """

    draws: tuple[int, ...] = (1, 8, 8, 8)
    width: int = 32
    rounds: int = 2
    gates: int = 4
    refinement: int = 3

    @property
    def stages(self) -> int:
        """Number of stages."""
        return len(self.draws) + 1


class Context(NamedTuple):
    """What all stages see of surveys with the same grid, prior and paths.

    Attributes
    ----------
    covariance, precision : (nodes, nodes)
        K and its inverse.
    neighbours : (2, nodes, nodes)
    cells : (nodes, n_cell_features)
    paths : (n, n_paths, n_path_features)
        The first axis counts surveys.
    sigma, times : (n, n_paths)
        Standard deviations and data.
    """

    covariance: Any
    precision: Any
    neighbours: Any
    cells: Any
    paths: Any
    sigma: Any
    times: Any


class Belief(NamedTuple):
    """Mixtures of k Gaussians, of which the first is the main one.

    Attributes
    ----------
    log_weights : (n, k)
    means : (n, k, nodes)
    precisions : (n, k, nodes, nodes)
    """

    log_weights: Any
    means: Any
    precisions: Any


PATH_FEATURES, CELL_FEATURES = 11, 8
"""Number of features of a path and a cell that change from stage to stage."""
STATIC_PATH, STATIC_CELL = 6, 6
"""Number of features that do not."""


def context(survey: Survey, lengths: Floats, times: Floats, sigma: Floats) -> Context:
    """Context of n surveys: `times` and `sigma` are (n, n_paths), the rest is shared."""
    covariance = survey.prior.covariance(survey.grid)
    n_paths, nodes = lengths.shape
    spacing = math.sqrt(math.prod(node_spacing(survey.grid)))
    reach = lengths.sum(axis=1) / spacing
    slowness, *_ = mean_slowness(survey.prior)
    shared = [
        math.log(survey.prior.upper / survey.prior.lower) - 0.6,
        survey.prior.correlation / spacing / 2,
        math.log(max(n_paths, 1) / nodes),
    ]
    relative = np.log(sigma / (lengths.sum(axis=1) * slowness)) + 4
    n = len(times)
    paths = [relative, np.broadcast_to(np.log(reach) - 1, (n, n_paths)), np.broadcast_to(1 / reach, (n, n_paths))]
    paths += [np.full((n, n_paths), value) for value in shared]
    edges = edge_distance(survey.grid.shape)
    cells = [1 / (1 + edges[:, 0]), 1 / (1 + edges[:, 1]), math.log(nodes / 121) * np.ones(nodes)]
    cells += [np.full(nodes, value) for value in shared]
    return Context(
        covariance,
        np.linalg.inv(covariance),
        neighbours(survey.grid.shape),
        np.stack(cells, axis=-1),
        np.stack(paths, axis=-1),
        sigma,
        times,
    )


def prior_belief(c: Context, xp: Any) -> Belief:
    """The prior, for every survey."""
    precisions = xp.broadcast_to(c.precision, (len(c.times), 1, *c.precision.shape))
    return Belief(0 * precisions[..., 0, 0], 0 * precisions[..., 0], precisions)


def log_density(belief: Belief, z: Any, xp: Any) -> Any:
    """Log-density (n,) of one z (n, nodes) under each mixture."""
    roots = xp.linalg.cholesky(belief.precisions)
    scaled = ((z[:, None] - belief.means)[..., None, :] @ roots)[..., 0, :]
    parts = xp.log(xp.diagonal(roots, 0, -2, -1)).sum(-1) - 0.5 * (scaled**2).sum(-1) + belief.log_weights
    largest = xp.amax(parts, -1)
    log_sum = largest + xp.log(xp.exp(parts - largest[..., None]).sum(-1))
    return log_sum - 0.5 * z.shape[-1] * math.log(2 * math.pi)


class Arrays(NamedTuple):
    """A library of arrays, and the ways to it from NumPy and back."""

    xp: Any
    enter: Callable[[Floats], Any]
    leave: Callable[[Any], Floats]


NUMPY = Arrays(np, lambda x: x, lambda x: x)


def beliefs(
    w: Mapping[str, Any],
    shape: Shape,
    survey: Survey,
    times: Floats,
    sigma: Floats,
    noise: Callable[[int, int], Floats],
    arrays: Arrays = NUMPY,
    precision: str = "float32",
) -> Iterator[tuple[Belief, Linear]]:
    """What is believed after each stage, the last of which is the answer, and the linearised times that led to it.

    Parameters
    ----------
    w : mapping of str to array
        Weights.
    shape : Shape
    survey : Survey
        Survey in the network's frame.
    times, sigma : (n, n_paths) float
        Data of n surveys, and their standard deviations.
    noise : callable
        White noise (n, k, nodes), given the number of the stage and k.
    arrays : Arrays
        NumPy, or torch in training. Gradients do not pass from stage to stage.
    precision : str
        Precision of the eikonal kernel.
    """
    kernel = plan(survey, precision) if len(survey.ends) else None
    lengths = straight_rays(kernel) if kernel else np.zeros((0, math.prod(survey.grid.shape)))
    c = Context(*map(arrays.enter, context(survey, lengths, times, sigma)))
    belief = prior_belief(c, arrays.xp)
    line = straight(survey, lengths, len(times))
    for index in range(shape.stages):
        if index and kernel:
            mean, n_draws = arrays.leave(belief.means[:, 0]), shape.draws[index - 1]
            draws = mean[:, None]
            if n_draws > 1:
                root = np.linalg.cholesky(np.asarray(arrays.leave(belief.precisions[:, 0]), np.float64))
                draws = antithetic(mean, root, noise(index, n_draws // 2))
            newest = by_draws(kernel, survey.prior, mean, draws)
            line = newest if index == 1 else newest.mixed(line, NEWEST)
        before = Belief(*(arrays.enter(arrays.leave(x)) for x in belief))
        belief = stage(w, index, shape, Linear(*map(arrays.enter, line)), before, c, arrays.xp)
        yield belief, line


def stage(w: Mapping[str, Any], index: int, shape: Shape, line: Linear, before: Belief, c: Context, xp: Any) -> Belief:
    """What is believed after the linearised inversion of one stage, with what the network corrects.

    Parameters
    ----------
    w : mapping of str to array
        Weights.
    index : int
        Number of the stage.
    shape : Shape
    line : Linear
        The times about `before.mean`.
    before : Belief
    c : Context
    xp : module
        NumPy or torch.
    """
    before_mean, covariance = before.means[:, 0], xp.linalg.inv(before.precisions[:, 0])
    rays = line.rays / c.sigma[..., None]
    late = (c.times - line.times) / c.sigma
    error, bend = line.error / c.sigma**2, line.bend / (c.sigma**2)[..., None]
    trust = 1 / (1 + error)
    held = (rays**2 * trust[..., None]).sum(-2)
    paths = _path_features(rays, late, error, bend, covariance, index, c, xp)
    cells = _cell_features(rays, late * trust, bend * trust[..., None], held, before_mean, covariance, c, xp)
    kind = min(index, KINDS - 1)
    path_out, cell_out, pooled = _messages(w, f"{kind}.", shape, abs(rays), paths, cells, c, xp)

    g = shape.gates
    changed = rays * (1 + path_out[..., 2 : 2 + g] @ xp.swapaxes(cell_out[..., 3 : 3 + g], -1, -2) / math.sqrt(g))
    bias = 0.1 * path_out[..., 1] * line.times / c.sigma
    weight = xp.exp(path_out[..., 0] - 2 * math.log(START[kind])) * trust
    crossed = held / (1 + held)
    extra = crossed * xp.exp(cell_out[..., 0] - 4)
    weighted = changed * weight[..., None]
    shift = late - bias + (changed @ before_mean[..., None])[..., 0]
    pull = held / xp.sqrt(1 + held) * cell_out[..., 1] + extra * cell_out[..., 2]
    seen = xp.swapaxes(weighted, -1, -2)
    by_data, from_data = (seen @ shift[..., None])[..., 0], seen @ changed
    known = c.precision + extra[..., None] * xp.eye(len(c.precision), dtype=c.precision.dtype)
    log_weights, factors = _components(w, kind, pooled, c, xp)
    precisions = known[:, None] + factors[..., None, None] * from_data[:, None]
    information = pull[:, None] + factors[..., None] * by_data[:, None]
    return Belief(log_weights, xp.linalg.solve(precisions, information[..., None])[..., 0], precisions)


def _components(w: Mapping[str, Any], kind: int, pooled: Any, c: Context, xp: Any) -> tuple[Any, Any]:
    """Logarithms of the weights, and factors on the precision of data (n, k); one component but in the last kind of stage."""
    if kind < KINDS - 1:
        return 0 * pooled[:, :1], 1 + 0 * pooled[:, :1]
    out = _as(_layer(w, f"{kind}.mix", _as(pooled, w[f"{kind}.mix"].dtype)), c.precision.dtype)
    k = len(TAILS)
    start = np.array([TAIL_WEIGHT * i for i in range(k)]), np.array(TAILS)
    logits, log_factors = (
        xp.stack([out[:, first + i] + float(x[i]) for i in range(k)], -1) for first, x in zip((0, k), start, strict=True)
    )
    largest = xp.amax(logits, -1)[..., None]
    log_weights = logits - largest - xp.log(xp.exp(logits - largest).sum(-1))[..., None]
    return log_weights, xp.exp(log_factors)


def _path_features(rays: Any, late: Any, error: Any, bend: Any, covariance: Any, index: int, c: Context, xp: Any) -> Any:
    """Features (n, n_paths, PATH_FEATURES + STATIC_PATH) of paths."""
    known = ((rays @ covariance) * rays).sum(-1)
    surprise = late / xp.sqrt(1 + error + known)
    relative = 10 * late * c.sigma / c.times
    prior = ((rays @ c.covariance) * rays).sum(-1)
    spread = bend.sum(-1)
    features = [
        xp.tanh(surprise / 3) * 3,
        xp.tanh(surprise**2 / 9) * 3,
        xp.tanh(relative),
        xp.log1p(error),
        xp.log1p(known),
        xp.log1p(prior) / 2,
        xp.log1p(spread),
        xp.log1p(abs(rays).sum(-1)) / 2,
        xp.log((known + 1e-3) / (prior + 1e-3)),
        spread / ((rays**2).sum(-1) + spread + TINY),
        0 * late + 1 / (1 + index),
    ]
    return xp.concatenate([xp.stack(features, -1), c.paths], -1)


def _cell_features(rays: Any, late: Any, bend: Any, held: Any, mean: Any, covariance: Any, c: Context, xp: Any) -> Any:
    """Features (n, nodes, CELL_FEATURES + STATIC_CELL) of cells."""
    variance = xp.diagonal(covariance, 0, -2, -1)
    slope = (xp.swapaxes(rays, -1, -2) @ late[..., None])[..., 0] - (mean[:, None] @ c.precision)[:, 0]
    newton = (covariance @ slope[..., None])[..., 0] / xp.sqrt(variance)
    features = [
        mean,
        mean**2 / 2,
        xp.log(variance),
        xp.log1p(held) / 2,
        xp.log1p(bend.sum(-2)),
        xp.tanh(slope * xp.sqrt(variance) / 3) * 3,
        xp.tanh(newton / 3) * 3,
        held / (1 + held),
    ]
    static = xp.broadcast_to(c.cells, (*held.shape, c.cells.shape[-1]))
    return xp.concatenate([xp.stack(features, -1), static], -1)


def _messages(w: Any, at: str, shape: Shape, size: Any, paths: Any, cells: Any, c: Context, xp: Any) -> Any:
    """Outputs (n, n_paths, 2 + gates) of paths, (n, nodes, 3 + gates) of cells, and the mean features (n, 2 width).

    `size` are the weights of the edges.
    """
    dtype = w[f"{at}path.in"].dtype
    size, axial, diagonal, paths, cells = (_as(x, dtype) for x in (size, c.neighbours[0], c.neighbours[1], paths, cells))
    to_paths = size / (size.sum(-1)[..., None] + TINY)
    to_cells = xp.swapaxes(size / (size.sum(-2)[..., None, :] + TINY), -1, -2)
    path, cell = _layer(w, f"{at}path.in", paths), _layer(w, f"{at}cell.in", cells)
    for i in range(shape.rounds):
        path = path + _block(w, f"{at}path.{i}", [path, to_paths @ cell, _pooled(path, xp)], xp)
        cell = cell + _block(w, f"{at}cell.{i}", [cell, to_cells @ path, axial @ cell, diagonal @ cell, _pooled(cell, xp)], xp)
    path, cell = _normal(path, xp), _normal(cell, xp)
    pooled = xp.concatenate([x.sum(-2) / max(x.shape[-2], 1) for x in (path, cell)], -1)
    outputs = _layer(w, f"{at}path.out", path), _layer(w, f"{at}cell.out", cell), pooled
    return tuple(_as(x, c.precision.dtype) for x in outputs)


def _pooled(x: Any, xp: Any) -> Any:
    """Mean over all nodes, at each node; nothing where there are none."""
    return xp.broadcast_to(x.sum(-2)[..., None, :] / max(x.shape[-2], 1), x.shape)


def _block(w: Any, name: str, parts: list[Any], xp: Any) -> Any:
    hidden = _layer(w, f"{name}.a", _normal(xp.concatenate(parts, -1), xp))
    return _layer(w, f"{name}.b", 0.5 * hidden * (1 + xp.tanh(0.5 * hidden)))


def _layer(w: Any, name: str, x: Any) -> Any:
    return x @ w[name] + w[f"{name}.bias"]


def _normal(x: Any, xp: Any) -> Any:
    """Features with mean 0 and variance 1 at each node (layer normalisation)."""
    x = x - x.mean(-1)[..., None]
    return x / xp.sqrt((x**2).mean(-1)[..., None] + 1e-5)


def _as(x: Any, dtype: Any) -> Any:
    return x.astype(dtype, copy=False) if isinstance(x, np.ndarray) else x.to(dtype)


def layers(shape: Shape) -> dict[str, tuple[int, int, float]]:
    """Inputs, outputs, and the standard deviation of random weights, of each layer by name."""
    width, g = shape.width, shape.gates
    found: dict[str, tuple[int, int, float]] = {}
    for index in range(min(shape.stages, KINDS)):
        for kind, features, sources, outputs in (
            ("path", PATH_FEATURES + STATIC_PATH, 3, 2 + g),
            ("cell", CELL_FEATURES + STATIC_CELL, 5, 3 + g),
        ):
            at = f"{index}.{kind}"
            found[f"{at}.in"] = features, width, 1 / math.sqrt(features)
            for i in range(shape.rounds):
                found[f"{at}.{i}.a"] = sources * width, width, 1 / math.sqrt(sources * width)
                found[f"{at}.{i}.b"] = width, width, 0.3 / math.sqrt(width)
            found[f"{at}.out"] = width, outputs, 0.0
        if index == KINDS - 1:
            found[f"{index}.mix"] = 2 * width, 2 * len(TAILS), 0.0
    return found
