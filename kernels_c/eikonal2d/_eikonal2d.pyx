# cython: language_level=3, boundscheck=False, wraparound=False, embedsignature=True
"""The door to eikonal2d.c: checks what it is given, holds the tables, turns return codes into exceptions."""

import numpy as np

from libc.stdint cimport int32_t

from vip.kernels_c import door
from vip.kernels_c.eikonal2d.geometry import source_tables


cdef extern from "eikonal2d.h":
    ctypedef struct eikonal2d_plan:
        int32_t velocity_rows, velocity_columns, refinement, stride, n_nodes
        const double *row_spacing
        double column_spacing
        int32_t n_sources, n_pairs
        const int32_t *order_start
        const int32_t *order
        const int32_t *rank
        const void *corrections
        const int32_t *fixed_start
        const int32_t *fixed_node
        const double *fixed_distance
        const int32_t *source_corner
        const double *source_weight
        const int32_t *pair_start
        const int32_t *pair_corner
        const double *pair_weight
        const double *pair_direct
    ctypedef struct eikonal2d_task:
        double *times
        const double *observed
        const double *weight
        double *gradient
        double *rays
    int EIKONAL2D_OK, EIKONAL2D_NO_MEMORY, EIKONAL2D_NO_CONVERGENCE
    int eikonal2d_solve_float(const eikonal2d_plan *, int, const double *, eikonal2d_task, int) nogil
    int eikonal2d_solve_double(const eikonal2d_plan *, int, const double *, eikonal2d_task, int) nogil
    int eikonal2d_field(const eikonal2d_plan *, int, const double *, double *) nogil
    const char *eikonal2d_simd_level()


SLOWEST, FASTEST = 1e-6, 1e6
"""Velocities (km/s) beyond these would leave the range of float32 times."""


def simd_level():
    """The instruction set that the kernel uses on this machine.

    >>> simd_level() in {"AVX-512", "AVX2", "plain C"}
    True
    """
    return eikonal2d_simd_level().decode()


cdef const int32_t *_ints(a):
    cdef const int32_t[::1] view = a
    return &view[0] if view.shape[0] else NULL


cdef const double *_doubles(a):
    cdef const double[::1] view = a
    return &view[0] if view.shape[0] else NULL


cdef class Plan:
    """Plan of all that stays the same from model to model: grid, sources, and the receivers of each source.

    Parameters
    ----------
    grid : Grid
    sources : (n_sources, 2) float
        Row and column coordinates (latitude, longitude in degrees, or y, x in km).
    receivers : (n_pairs, 2) float
        The receiver of each source-receiver pair, in the same coordinates.
    source_of_pair : (n_pairs,) int
        Index of each pair's source.
    precision : {"float32", "float64"}
        Precision of the computation; input and output are float64.

    Raises
    ------
    ValueError, TypeError
        If a point lies outside the grid, an index is out of range or a shape or dtype is wrong; the message names the argument.
    """

    cdef eikonal2d_plan c
    cdef readonly object grid, precision, n_pairs, pair_order, n_sources
    cdef object _arrays, _arguments
    cdef bint _single

    def __init__(self, grid, sources, receivers, source_of_pair, precision="float32"):
        self._arguments = grid, sources, receivers, source_of_pair, precision
        door.one_of("precision", precision, ("float32", "float64"))
        sources = door.points("sources", sources, grid.contains, axes=2)
        receivers = door.points("receivers", receivers, grid.contains, axes=2)
        last = len(sources) - 1
        source_of_pair = door.integers("source_of_pair", source_of_pair, (len(receivers),), low=0, high=last)
        self.grid, self.precision, self._single = grid, precision, precision == "float32"
        self.n_pairs, self.n_sources = len(receivers), len(sources)
        self.pair_order = np.argsort(source_of_pair, kind="stable")
        self._arrays = self._tables(sources, receivers[self.pair_order], source_of_pair[self.pair_order])
        self._fill()

    def __reduce__(self):
        return Plan, self._arguments  # it holds pointers, and is built anew where it is unpickled

    def _tables(self, sources, receivers, source_of_pair):
        real = np.float32 if self._single else np.float64
        tables = [source_tables(self.grid, source) for source in sources]
        def starts(lengths):
            return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        source_corner, source_weight = self.grid.cell(sources)
        pair_corner, pair_weight, direct = self._receiver_weights(sources, receivers, source_of_pair, tables)
        return {
            "row_spacing": np.ascontiguousarray(self.grid.spacing_km[0]),
            "order_start": starts([len(t.order) for t in tables]),
            "order": np.concatenate([t.order for t in tables]),
            "rank": np.concatenate([t.rank for t in tables]),
            "corrections": np.stack([t.corrections for t in tables]).astype(real),
            "fixed_start": starts([len(t.fixed_node) for t in tables]),
            "fixed_node": np.concatenate([t.fixed_node for t in tables]),
            "fixed_distance": np.concatenate([t.fixed_distance for t in tables]),
            "source_corner": source_corner.ravel(),
            "source_weight": source_weight.ravel(),
            "pair_start": starts(np.bincount(source_of_pair, minlength=len(sources))),
            "pair_corner": pair_corner.ravel(),
            "pair_weight": pair_weight.ravel(),
            "pair_direct": direct,
        }

    def _receiver_weights(self, sources, receivers, source_of_pair, tables):
        """Weights of the corners' times: bilinear in T / r; straight rays where all corners are fixed nodes."""
        corner, weight = self.grid.cell(receivers)
        distance = self.grid.distance(sources[source_of_pair], receivers)
        fixed = np.zeros((len(tables), self.grid.bordered_shape[0] * self.grid.bordered_shape[1]), bool)
        for of_source, table in zip(fixed, tables):
            of_source[table.fixed_node] = True
        straight = fixed[source_of_pair[:, None], corner].all(axis=1)
        rows, columns = self.grid.bordered_axes
        stride = self.grid.bordered_shape[1]
        nodes = np.stack([rows[corner // stride], columns[corner % stride]], axis=-1)
        apart = self.grid.distance(nodes, sources[source_of_pair][:, None])
        scale = np.where(straight[:, None], distance[:, None] > 0, distance[:, None] / np.where(straight[:, None], 1, apart))
        return corner, weight * scale, np.where(straight, distance, 0.0)

    cdef _fill(self):
        a, grid = self._arrays, self.grid
        cdef const float[:, :, ::1] single
        cdef const double[:, :, ::1] double_
        self.c.velocity_rows, self.c.velocity_columns = grid.shape
        self.c.refinement = grid.refinement
        self.c.stride = grid.bordered_shape[1]
        self.c.n_nodes = grid.bordered_shape[0] * grid.bordered_shape[1]
        self.c.column_spacing = grid.spacing_km[1]
        self.c.n_sources, self.c.n_pairs = self.n_sources, self.n_pairs
        self.c.row_spacing = _doubles(a["row_spacing"])
        self.c.order_start, self.c.order = _ints(a["order_start"]), _ints(a["order"])
        self.c.rank = _ints(a["rank"])
        self.c.fixed_start, self.c.fixed_node = _ints(a["fixed_start"]), _ints(a["fixed_node"])
        self.c.fixed_distance = _doubles(a["fixed_distance"])
        self.c.source_corner, self.c.source_weight = _ints(a["source_corner"]), _doubles(a["source_weight"])
        self.c.pair_start, self.c.pair_corner = _ints(a["pair_start"]), _ints(a["pair_corner"])
        self.c.pair_weight, self.c.pair_direct = _doubles(a["pair_weight"]), _doubles(a["pair_direct"])
        if self._single:
            single = a["corrections"]
            self.c.corrections = &single[0, 0, 0]
        else:
            double_ = a["corrections"]
            self.c.corrections = &double_[0, 0, 0]


def _velocity(velocity, shape, axes):
    return door.real("velocity", velocity, shape, low=SLOWEST, high=FASTEST, unit="km/s", axes=axes)


cdef _check(int code):
    if code == EIKONAL2D_NO_MEMORY:
        raise MemoryError("eikonal2d: not enough memory for the time fields")
    if code == EIKONAL2D_NO_CONVERGENCE:
        raise ArithmeticError("eikonal2d: the travel times did not settle; is the velocity plausible?")


def travel_times(velocity, Plan plan, observed=None, weight=None, threads=1):
    """Travel times of many models, and the gradient of their misfit to observed times.

    Parameters
    ----------
    velocity : (n, nodes) array_like
        Velocity on the nodes of `plan.grid`, row by row, km/s. Any real dtype and memory order.
    plan : Plan
    observed, weight : (n_pairs,) array_like, optional
        Observed times (s) and weights (1/s^2), both or none.
    threads : int
        Number of OpenMP threads; does not change the result.

    Returns
    -------
    times : (n, n_pairs) float64
        Travel times, s, in the order of the plan's receivers.
    gradient : (n, nodes) float64
        Gradient of ``sum(weight * (times - observed)**2) / 2`` by velocity; only with `observed`. Exact for the discrete
        times.

    Raises
    ------
    ValueError, TypeError
        If an argument has a wrong shape or dtype or holds NaN; the message names it.
    """
    velocity = _velocity(velocity, ("n", plan.grid.shape[0] * plan.grid.shape[1]), ("model", "node"))
    if (observed is None) != (weight is None):
        raise ValueError("observed and weight: give both or none")
    cdef eikonal2d_task task = eikonal2d_task(NULL, NULL, NULL, NULL, NULL)
    cdef double[:, ::1] gradient
    cdef const double[::1] d, w
    if observed is not None:
        d = door.real("observed", observed, (plan.n_pairs,))[plan.pair_order]
        w = door.real("weight", weight, (plan.n_pairs,))[plan.pair_order]
        gradient = np.empty_like(velocity)
        task.observed, task.weight, task.gradient = &d[0], &w[0], &gradient[0, 0]
    times = _solve(plan, velocity, task, door.whole("threads", threads))
    return times if observed is None else (times, np.asarray(gradient))


def ray_weights(velocity, Plan plan, threads=1):
    """Travel times of many models, and the gradient of each time: how long each ray is near each node.

    Parameters
    ----------
    velocity : (n, nodes) array_like
        Velocity on the nodes of `plan.grid`, row by row, km/s. Any real dtype and memory order.
    plan : Plan
    threads : int
        Number of OpenMP threads; does not change the result.

    Returns
    -------
    times : (n, n_pairs) float64
        Travel times, s, in the order of the plan's receivers.
    rays : (n, n_pairs, nodes) float64
        Gradient of each time by velocity, s per km/s: minus the ray's length by node, over the velocity squared. Exact for the
        discrete times.

    Raises
    ------
    ValueError, TypeError
        If an argument has a wrong shape or dtype or holds NaN; the message names it.
    """
    velocity = _velocity(velocity, ("n", plan.grid.shape[0] * plan.grid.shape[1]), ("model", "node"))
    cdef eikonal2d_task task = eikonal2d_task(NULL, NULL, NULL, NULL, NULL)
    cdef double[:, :, ::1] rays = np.empty((velocity.shape[0], plan.n_pairs, velocity.shape[1]))
    task.rays = &rays[0, 0, 0]
    times = _solve(plan, velocity, task, door.whole("threads", threads))
    ordered = np.empty(np.shape(rays))
    ordered[:, plan.pair_order] = rays
    return times, ordered


cdef _solve(Plan plan, velocity, eikonal2d_task task, int n_threads):
    """Travel times in the order of the plan's receivers; what else the task asks for is put where it says."""
    cdef int n = velocity.shape[0], code
    cdef const double[:, ::1] v = velocity
    cdef double[:, ::1] times = np.empty((n, plan.n_pairs))
    task.times = &times[0, 0]
    with nogil:
        if plan._single:
            code = eikonal2d_solve_float(&plan.c, n, &v[0, 0], task, n_threads)
        else:
            code = eikonal2d_solve_double(&plan.c, n, &v[0, 0], task, n_threads)
    _check(code)
    ordered = np.empty((n, plan.n_pairs))
    ordered[:, plan.pair_order] = times
    return ordered


def time_field(velocity, Plan plan, source):
    """Travel times (rows, columns) from one source to all nodes of the refined grid for one model (nodes,), seconds.

    The plan's precision must be float64.
    """
    velocity = _velocity(velocity, (plan.grid.shape[0] * plan.grid.shape[1],), ("node",))
    if plan._single:
        raise ValueError("plan: time_field needs precision 'float64'")
    cdef const double[::1] v = velocity
    cdef double[::1] field = np.empty(plan.c.n_nodes)
    cdef int of_source = door.whole("source", source, low=0, high=plan.n_sources - 1), code
    with nogil:
        code = eikonal2d_field(&plan.c, of_source, &v[0], &field[0])
    _check(code)
    return np.asarray(field).reshape(plan.grid.bordered_shape)[1:-1, 1:-1]
