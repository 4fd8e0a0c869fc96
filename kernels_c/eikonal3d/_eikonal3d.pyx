# cython: language_level=3, boundscheck=False, wraparound=False, embedsignature=True
"""The door to eikonal3d.c: checks what it is given, builds the tables, turns return codes into exceptions."""

import numpy as np

from libc.stdint cimport int32_t
from libc.stdlib cimport calloc, free

from vip.kernels_c import door
from vip.kernels_c.eikonal3d.geometry import Grid


cdef extern from "eikonal3d.h":
    ctypedef struct eikonal3d_grid:
        int32_t shape[3]
        double spacing[3]
        double weight_x
        const double *weight_y
        const double *weight_z
    ctypedef struct eikonal3d_source:
        double slowness
        const double *along_x
        const double *along_y
        const double *along_z
        int32_t first_fixed[3]
        int32_t shape_fixed[3]
        const double *time_fixed
    int EIKONAL3D_OK, EIKONAL3D_NO_MEMORY
    int eikonal3d_solve(const eikonal3d_grid *, const double *, int, const eikonal3d_source *, double *, int, int) nogil
    const char *eikonal3d_simd_level()


SLOWEST, FASTEST = 1e-6, 1e6
"""Velocities (km/s) beyond these would leave the range of the times."""

MOST_NODES = 2**31 - 1
"""Largest number of nodes of a grid with its border of two nodes on every side: nodes are counted in 32 bits."""


def simd_level():
    """The instruction set that the kernel uses on this machine.

    >>> simd_level() in {"AVX-512", "AVX2", "plain C"}
    True
    """
    return eikonal3d_simd_level().decode()


def _velocity(velocity):
    velocity = door.array("velocity", velocity)  # before it is copied, which may be too much
    if np.prod([n + 4.0 for n in velocity.shape]) > MOST_NODES:
        raise ValueError(f"velocity: shape {velocity.shape}: expected fewer than 2^31 nodes")
    return door.real("velocity", velocity, ("x", "y", "z"), low=SLOWEST, high=FASTEST, unit="km/s", axes=("x", "y", "z"))


cdef const double *_pointer(a):
    cdef const double[::1] view = a.reshape(-1)
    return &view[0]


cdef _fill(eikonal3d_source *c, table):
    c.slowness = table.slowness
    c.along_x, c.along_y, c.along_z = _pointer(table.along_x), _pointer(table.along_y), _pointer(table.along_z)
    c.time_fixed = _pointer(table.time_fixed)
    for a in range(3):
        c.first_fixed[a], c.shape_fixed[a] = table.first_fixed[a], table.time_fixed.shape[a]


def solve(velocity, source, spacing, *, origin=(0.0, 0.0, 0.0), geometry="cartesian", bint factored=False, threads=1):
    """First-arrival travel times from a source to all nodes of a grid.

    Second order in the spacing where times are smooth, by the factored eikonal equation [1]_ with upwind differences and
    a deferred correction; see eikonal3d.h. A constant velocity is exact. A 2-D problem is a grid with one node along an axis;
    if spherical, one longitude. Memory: 90 bytes a node and thread.

    Parameters
    ----------
    velocity : (x, y, z) array_like
        Velocity at the nodes, km/s. Any real dtype and memory order. Axes are x, y, z, or depth, latitude, longitude. Where it
        jumps, the interface lies midway between nodes.
    source : (3,) or (n, 3) array_like
        Coordinates, on or between nodes: km, or depth in km, latitude and longitude in degrees.
    spacing : (3,) array_like
        Step from node to node in the same units, negative where a coordinate decreases.
    origin : (3,) array_like
        Coordinates of the first node.
    geometry : {"cartesian", "spherical"}
        Spherical: on the sphere of radius `geometry.EARTH_RADIUS`; depth counts from its surface.
    factored : bool
        Return T / r instead of T, r being `Grid.distance`. It is smooth at the source, where it is the slowness:
        interpolate it and multiply by r for times between nodes.
    threads : int
        Number of OpenMP threads over sources; does not change the result.

    Returns
    -------
    times : (x, y, z) float64, or (n, x, y, z) for n sources
        Travel times, s; T / r, s/km, if factored.

    Raises
    ------
    ValueError, TypeError
        If an argument has a wrong shape, dtype or value, or a source lies outside the grid; the message names it.

    References
    ----------
    .. [1] S. Luo and J. Qian (2012), "Fast sweeping methods for factored anisotropic eikonal equations: multiplicative and
       additive factors", J. Sci. Comput. 52, 360-382.

    Examples
    --------
    >>> times = solve(np.full((20, 20, 20), 5.0), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    >>> bool(np.isclose(times[3, 4, 0], 1.0))
    True
    """
    velocity = _velocity(velocity)
    spacing, origin = (tuple(door.real(*x, (3,)).tolist()) for x in (("spacing", spacing), ("origin", origin)))
    grid = Grid(velocity.shape, spacing, origin, geometry)
    source = door.array("source", source)
    sources = door.points("source", source[None] if source.ndim == 1 else source, grid.contains, axes=3)
    metric, tables = grid.metric, [grid.source(velocity, at) for at in sources]
    weight_y, weight_z = np.ascontiguousarray(metric.weight_y), np.ascontiguousarray(metric.weight_z)
    times = np.empty((len(sources), *velocity.shape))
    cdef int n_sources = len(sources), n_threads = door.whole("threads", threads), code
    cdef eikonal3d_grid c
    for a in range(3):
        c.shape[a], c.spacing[a] = velocity.shape[a], metric.spacing[a]
    c.weight_x, c.weight_y, c.weight_z = metric.weight_x, _pointer(weight_y), _pointer(weight_z)
    cdef const double *v = _pointer(velocity)
    cdef double[::1] out = times.reshape(-1)
    cdef eikonal3d_source *c_sources = <eikonal3d_source *>calloc(n_sources, sizeof(eikonal3d_source))
    if c_sources == NULL:
        raise MemoryError("eikonal3d: not enough memory for the sources")
    try:
        for s in range(n_sources):
            _fill(&c_sources[s], tables[s])
        with nogil:
            code = eikonal3d_solve(&c, v, n_sources, c_sources, &out[0], factored, n_threads)
    finally:
        free(c_sources)
    if code == EIKONAL3D_NO_MEMORY:
        raise MemoryError(f"eikonal3d: not enough memory for {velocity.size} nodes on {threads} thread(s)")
    return times if source.ndim == 2 else times[0]
