"""Paths between stations, the cells that their rays cross, and the frame in which a network sees them.

A network must not care in which order stations are listed, which end of a path comes first, where north is, or what the units
are. Every survey is therefore brought into one frame first: lengths in cells, velocities over the geometric mean of the prior's
bounds, paths in the order of their places, and the grid turned and mirrored so that certain moments of the data are positive.
What is computed in this frame has all these symmetries, to rounding, whatever it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from vip.kernels_c.eikonal2d import Grid, Plan, ray_weights
from vip.protocols import Floats

Ints = NDArray[np.intp]

EDGE = 1e-9
"""Smallest share of the prior's range that is kept between a velocity and its bounds, so that z is finite."""


class Prior(NamedTuple):
    """Velocities between two bounds, uniform at every node, whose normal scores z are a Gaussian field.

    Attributes
    ----------
    lower, upper : float
        Bounds, km/s.
    correlation : float
        Correlation length of z, km; 0 for white noise. The correlation is Matern's of smoothness 3/2.
    """

    lower: float
    upper: float
    correlation: float = 0.0

    @property
    def scale(self) -> float:
        """Geometric mean of the bounds, km/s."""
        return math.sqrt(self.lower * self.upper)

    def velocity(self, z: Floats) -> Floats:
        """Velocities, km/s, of normal scores of any shape."""
        velocity: Floats = self.lower + (self.upper - self.lower) * ndtr(z)
        return velocity

    def slope(self, z: Floats) -> Floats:
        """Derivative of the velocity by z, km/s."""
        slope: Floats = (self.upper - self.lower) * np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
        return slope

    def scores(self, velocity: Floats) -> Floats:
        """Normal scores of velocities, those on or beyond the bounds as if just inside."""
        share = (velocity - self.lower) / (self.upper - self.lower)
        scores: Floats = ndtri(np.clip(share, EDGE, 1 - EDGE))
        return scores

    def covariance(self, grid: Grid) -> Floats:
        """Covariance (nodes, nodes) of z on a grid: Matern's of smoothness 3/2, with a unit diagonal."""
        axes = (np.arange(n) * step for n, step in zip(grid.shape, node_spacing(grid), strict=True))
        places = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
        if self.correlation == 0:
            return np.eye(len(places))
        apart = np.linalg.norm(places[:, None] - places, axis=2) * math.sqrt(3) / self.correlation
        covariance: Floats = (1 + apart) * np.exp(-apart)
        return covariance


class Survey(NamedTuple):
    """Grid, prior and the paths along which times were measured.

    Attributes
    ----------
    grid : Grid
        Grid of the velocity nodes; its refinement does not matter.
    prior : Prior
    ends : (n_paths, 2, 2) float
        Coordinates of both ends of each path, as those of the grid.
    """

    grid: Grid
    prior: Prior
    ends: Floats


class Frame(NamedTuple):
    """A survey in the frame of the network, and the way back.

    Attributes
    ----------
    survey : Survey
        Lengths in cells unless the grid is spherical; velocities over the prior's scale.
    paths : (n_paths,) int
        Path of the original survey that each path is.
    cells : (nodes,) int
        Node of the original grid that each node is.
    time_unit : float
        Times of the original survey over those in the frame, s.
    """

    survey: Survey
    paths: Ints
    cells: Ints
    time_unit: float


def framed(survey: Survey, times: Floats, refinement: int) -> Frame:
    """Bring a survey with its times (n_paths,), s, into the frame of the network, with a grid of some refinement."""
    grid, prior = survey.grid, survey.prior
    spherical = grid.spherical
    unit = 1.0 if spherical else math.sqrt(abs(grid.spacing[0] * grid.spacing[1]))
    places = grid.place(survey.ends) / grid.refinement
    cells = np.arange(math.prod(grid.shape)).reshape(grid.shape)
    steps = [abs(step) / unit for step in grid.spacing]
    if not spherical:
        places, cells, steps = _turned(places, cells, steps, times / grid.distance(survey.ends[:, 0], survey.ends[:, 1]))
        plain = Grid(cells.shape, (0.0, 0.0), (steps[0], steps[1]), False, refinement)
        ends = places * np.array(steps)
    else:
        plain = Grid(grid.shape, grid.origin, grid.spacing, True, refinement)
        ends = np.asarray(survey.ends, float)
    ends, paths = _ordered(ends, times)
    scaled = Prior(prior.lower / prior.scale, prior.upper / prior.scale, prior.correlation / unit)
    return Frame(Survey(plain, scaled, ends), paths, cells.ravel(), unit / prior.scale)


def _turned(places: Floats, cells: Ints, steps: Sequence[float], slowness: Floats) -> tuple[Floats, Ints, list[float]]:
    """Turn and mirror a grid so that moments of its paths' midpoints, weighted by slowness, are positive and in order."""
    last = np.array(cells.shape) - 1.0
    moments = ((slowness / slowness.mean())[:, None] ** 2 * (places.mean(axis=1) - last / 2)).sum(axis=0)
    places = np.where(moments < 0, last - places, places)
    cells = cells[:: -1 if moments[0] < 0 else 1, :: -1 if moments[1] < 0 else 1]
    rows, columns = cells.shape
    if rows > columns or (rows == columns and abs(moments[0]) >= abs(moments[1])):
        return places, cells, list(steps)
    return places[..., ::-1], cells.T, list(steps)[::-1]


def _ordered(ends: Floats, times: Floats) -> tuple[Floats, Ints]:
    """Ends with the busier station of each path first, or else the one that comes first, and paths by place and time."""
    _, station, count = np.unique(ends.reshape(-1, 2), axis=0, return_inverse=True, return_counts=True)
    pair = station.reshape(-1, 2)
    first, second = count[pair[:, 0]], count[pair[:, 1]]
    swap = (second > first) | ((second == first) & (pair[:, 1] < pair[:, 0]))
    ends, pair = np.where(swap[:, None, None], ends[:, ::-1], ends), np.where(swap[:, None], pair[:, ::-1], pair)
    order = np.lexsort((times, pair[:, 1], pair[:, 0]))
    return ends[order], order


def plan(survey: Survey, precision: str = "float32") -> Plan:
    """Plan of the eikonal kernel for the paths of a survey in the network's frame; sources are the first ends."""
    sources, source_of_path = np.unique(survey.ends[:, 0], axis=0, return_inverse=True)
    return Plan(survey.grid, sources, survey.ends[:, 1], source_of_path.ravel(), precision)


def straight_rays(plan: Plan) -> Floats:
    """Length (n_paths, nodes) of each straight ray by velocity node, in the grid's unit of length."""
    nodes = math.prod(plan.grid.shape)
    lengths: Floats = -ray_weights(np.ones((1, nodes)), plan)[1][0]
    return lengths


def node_spacing(grid: Grid) -> tuple[float, float]:
    """Mean distance between nodes down the rows and along the columns, in the grid's unit of length."""
    by_row, between_rows = grid.spacing_km
    return between_rows * grid.refinement, float(np.mean(by_row[1:-1])) * grid.refinement


def neighbours(shape: tuple[int, int]) -> Floats:
    """Two matrices (2, nodes, nodes) that average over the neighbours of each node: along the axes, and diagonally."""
    rows, columns = np.divmod(np.arange(math.prod(shape)), shape[1])
    apart = [np.abs(x[:, None] - x) for x in (rows, columns)]
    near = np.stack([apart[0] + apart[1] == 1, (apart[0] == 1) & (apart[1] == 1)]).astype(float)
    averages: Floats = near / near.sum(axis=2, keepdims=True)
    return averages


def edge_distance(shape: tuple[int, int]) -> Floats:
    """Distance (nodes, 2) to the nearest and to the other edge, in nodes."""
    rows, columns = np.divmod(np.arange(math.prod(shape)), shape[1])
    to_edges = np.stack([np.minimum(x, n - 1 - x) for x, n in zip((rows, columns), shape, strict=True)], axis=1)
    return np.sort(to_edges, axis=1).astype(float)


def mean_slowness(prior: Prior, points: int = 40) -> tuple[float, float, float]:
    """Best line through the slowness 1 / v(z) for z ~ N(0, 1): its mean, its slope, and the variance about it."""
    z, weight = np.polynomial.hermite_e.hermegauss(points)
    weight = weight / weight.sum()
    slowness = 1 / prior.velocity(z)
    mean, slope = float(weight @ slowness), float(weight @ (z * slowness))
    return mean, slope, float(weight @ slowness**2) - mean**2 - slope**2


def linear_posterior(jacobian: Floats, data: Floats, variance: Floats, covariance: Floats) -> tuple[Floats, Floats]:
    """Mean (nodes,) and covariance (nodes, nodes) of z ~ N(0, K) given data = J z + noise: Tarantola (2005), eqs. 3.37-3.38."""
    gain = covariance @ jacobian.T
    solved = np.linalg.solve(jacobian @ gain + np.diag(variance), np.column_stack([data, gain.T]))
    return gain @ solved[:, 0], covariance - gain @ solved[:, 1:]
