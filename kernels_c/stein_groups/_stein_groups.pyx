# cython: language_level=3, boundscheck=False, embedsignature=True
"""The door to stein_groups.c: checks what it is given, turns return codes into exceptions."""

import numpy as np

from libc.stdint cimport int64_t

from vip.kernels_c import door


cdef extern from "stein_groups.h":
    ctypedef struct stein_strides:
        Py_ssize_t particle, entry
    ctypedef struct stein_groups:
        int64_t n_particles, n_groups
        const int64_t *start
        const int64_t *entry
        double widening
        const double *particles
        const double *gradient
        stein_strides particles_strides, gradient_strides
        double *direction
        stein_strides direction_strides
    int STEIN_OK, STEIN_NO_MEMORY
    int stein_direction(const stein_groups *, int) nogil


LARGEST = 1e100
"""Particles and gradients are from -LARGEST to LARGEST, so that no square overflows."""
WIDEST = 1e6
"""Widening is from 1 / WIDEST to WIDEST."""


def _within(name, values, shape):
    return door.real(name, values, shape, low=-LARGEST, high=LARGEST, axes=("particle", "entry"), strided=True)


def _members(groups, d):
    """Entries in the order of their groups, and the index at which each group begins and the last ends."""
    groups = door.integers("groups", groups, (d,), low=0, high=d - 1)
    sizes = np.bincount(groups)
    if not sizes.all():
        raise ValueError(f"groups: none is {np.argmin(sizes)}: labels must be all from 0 to the largest, {len(sizes) - 1}")
    return np.argsort(groups, kind="stable").astype(np.int64), np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


cdef stein_strides _strides(const double[:, :] array):
    cdef stein_strides strides
    strides.particle, strides.entry = array.strides[0] // sizeof(double), array.strides[1] // sizeof(double)
    return strides


def direction(particles, gradient, groups, widening=1.0, threads=1):
    """Direction of Stein variational gradient descent with a kernel for each group of entries.

    Eq. 17 of Zhang & Curtis (2024) after Liu & Wang (2016), as if each group were alone:
    ``phi_i = 1/n sum_j K_ij [g_j + (x_i - x_j) / h**2]`` with ``K_ij = exp(-|x_i - x_j|**2 / (2 h**2))`` and, by the median
    heuristic, ``h**2 = widening**2 median(|x_i - x_j|**2) / (2 log n)`` over pairs of particles.

    Parameters
    ----------
    particles, gradient : (n, d) array_like
        Particles and the gradients of their log-density. Any real dtype and memory order.
    groups : (d,) int
        The group of each entry: all labels from 0 to the largest, in any order.
    widening : float
        Factor of all bandwidths.
    threads : int
        Number of OpenMP threads; does not change the result.

    Returns
    -------
    (n, d) float64

    Raises
    ------
    ValueError, TypeError
        If an argument has a wrong shape or dtype, holds NaN, or is out of range; the message names it.

    Examples
    --------
    Without data, particles part in the entries of the first group; in the second group they are at the same place.

    >>> direction([[0.0, 5.0, 0.0], [1.0, 5.0, 0.0]], np.zeros((2, 3)), [0, 1, 0]).round(4)
    array([[-0.3466,  0.    ,  0.    ],
           [ 0.3466,  0.    ,  0.    ]])
    """
    particles = _within("particles", particles, ("n", "d"))
    shape = particles.shape
    gradient = _within("gradient", gradient, shape)
    entries, starts = _members(groups, shape[1])

    cdef const int64_t[::1] entry = entries, start = starts
    cdef const double[:, :] x = particles, g = gradient
    cdef double[:, :] phi = np.empty(shape)
    cdef stein_groups batch
    batch.n_particles, batch.n_groups = shape[0], len(starts) - 1
    batch.start, batch.entry = &start[0], &entry[0]
    batch.widening = door.number("widening", widening, low=1 / WIDEST, high=WIDEST)
    batch.particles, batch.particles_strides = &x[0, 0], _strides(x)
    batch.gradient, batch.gradient_strides = &g[0, 0], _strides(g)
    batch.direction, batch.direction_strides = &phi[0, 0], _strides(phi)
    cdef int n_threads = door.whole("threads", threads), code
    with nogil:
        code = stein_direction(&batch, n_threads)
    if code == STEIN_NO_MEMORY:
        raise MemoryError(f"stein_groups: not enough memory for the pairs of {shape[0]} particles")
    return np.asarray(phi)
