# cython: language_level=3, boundscheck=False, wraparound=False, embedsignature=True
"""The door to timetables.c: checks what it is given, holds the tables."""

import numpy as np

from libc.stdint cimport int32_t, int64_t

from vip.kernels_c.timetables.splines import coefficients


cdef extern from "timetables.h":
    ctypedef struct timetables:
        int32_t n_axes
        int32_t shape[3]
        double origin[3]
        double per_km[3]
        const float *coefficient
        const double *place
    ctypedef struct timetables_batch:
        int64_t n_picks, n_particles
        const int32_t *event
        const int32_t *table
        const double *hypocentre
        double *time
        double *gradient
    int64_t timetables_evaluate(const timetables *, const timetables_batch *, int) nogil


LEAST_NODES = 4
"""Along each axis."""


def _real(name, values, shape):
    values = np.asarray(values)
    if values.dtype.kind not in "fiu":
        raise TypeError(f"{name}: dtype {values.dtype}: expected real numbers")
    if len(shape) != values.ndim or any(n is not None and n != m for n, m in zip(shape, values.shape)):
        expected = ", ".join("any" if n is None else str(n) for n in shape)
        raise ValueError(f"{name}: shape {values.shape}: expected ({expected})")
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        raise ValueError(f"{name}: entry {tuple(map(int, bad[0]))} is not finite")
    return np.ascontiguousarray(values, dtype=np.float64)


def _indices(name, values, length, n):
    values = np.asarray(values)
    if values.ndim != 1 or values.dtype.kind not in "iu" or (length is not None and len(values) != length) or not len(values):
        raise ValueError(f"{name}: dtype {values.dtype}, shape {values.shape}: expected integers, one for each pick")
    if values.min() < 0 or values.max() >= n:
        raise ValueError(f"{name}: from {values.min()} to {values.max()}: expected 0 to {n - 1}")
    return np.ascontiguousarray(values, dtype=np.int32)


cdef class TimeTables:
    """Travel times from stations to the nodes of a grid, as smooth functions of the hypocentre.

    What is interpolated, by cubic B-splines, is the mean slowness: the time over the straight distance from the station.

    Parameters
    ----------
    slowness : (n_tables, nx, ny, nz) or (n_tables, nr, nz) array_like
        Times of first arrivals over straight distances from the station, s/km, on nodes along x, y and depth, or along
        horizontal distance and depth where velocity depends on depth alone; at the station itself, the slowness there.
    places : (n_tables, 3) array_like
        X, y and depth of the station of each table, km.
    origin, spacing : (3,) or (2,) array_like
        Of the grid, km.

    Raises
    ------
    ValueError, TypeError
        If an argument has a wrong shape or dtype, or is not finite; the message names it.
    """

    cdef timetables c
    cdef readonly object shape, places, origin, spacing
    cdef object _coefficients

    def __init__(self, slowness, places, origin, spacing):
        dims = np.ndim(slowness) - 1
        if dims not in (2, 3):
            raise ValueError(f"slowness: shape {np.shape(slowness)}: expected (n_tables, nx, ny, nz) or (n_tables, nr, nz)")
        slowness = _real("slowness", slowness, (None,) * (dims + 1))
        n, self.shape = slowness.shape[0], slowness.shape[1:]
        if min(self.shape) < LEAST_NODES or not n:
            raise ValueError(f"slowness: shape {slowness.shape}: expected a table or more, {LEAST_NODES} nodes or more an axis")
        self.places = _real("places", places, (n, 3))
        self.origin, self.spacing = _real("origin", origin, (dims,)), _real("spacing", spacing, (dims,))
        if not (self.spacing > 0).all():
            raise ValueError(f"spacing: {self.spacing}: must be positive")
        if dims == 2 and self.origin[0] != 0:
            raise ValueError(f"origin: {self.origin}: distance must begin at 0")
        self._coefficients = np.empty((n, *(m + 3 for m in self.shape)), np.float32)
        for i in range(n):
            self._coefficients[i] = coefficients(slowness[i], dims == 2)
        self._fill()

    def __reduce__(self):
        raise TypeError("TimeTables hold pointers and are not pickled: build them where they are used")

    cdef _fill(self):
        cdef const float[::1] coefficient = self._coefficients.ravel()
        cdef const double[:, ::1] place = self.places
        self.c.n_axes = len(self.shape)
        for axis in range(len(self.shape)):
            self.c.shape[axis], self.c.origin[axis] = self.shape[axis], self.origin[axis]
            self.c.per_km[axis] = 1 / self.spacing[axis]
        self.c.coefficient, self.c.place = &coefficient[0], &place[0, 0]

    def evaluate(self, hypocentres, event, table, int threads=1):
        """Travel times and their gradients.

        Parameters
        ----------
        hypocentres : (n_particles, n_events, 3) array_like
            X, y and depth, km. Any real dtype and memory order.
        event, table : (n_picks,) int
            Of each pick.
        threads : int
            Number of OpenMP threads; does not change the result.

        Returns
        -------
        time : (n_particles, n_picks) float64
            Seconds.
        gradient : (3, n_particles, n_picks) float64
            By x, y and depth of the pick's event, s/km. In memory, both have the particles next to each other.

        Raises
        ------
        ValueError, TypeError
            If an argument has a wrong shape or dtype or is not finite, or a hypocentre lies outside the tables.
        """
        hypocentres = _real("hypocentres", hypocentres, (None, None, 3))
        if threads < 1:
            raise ValueError(f"threads: {threads}: must be at least 1")
        n, n_events = hypocentres.shape[:2]
        if not hypocentres.size:
            raise ValueError(f"hypocentres: shape {hypocentres.shape}: expected a particle or more, an event or more")
        events = _indices("event", event, None, n_events)
        tables = _indices("table", table, len(events), len(self.places))
        cdef const int32_t[::1] e = events, t = tables
        cdef const double[:, :, ::1] x = np.ascontiguousarray(np.moveaxis(hypocentres, 0, 2))
        cdef double[:, ::1] time = np.empty((len(events), n))
        cdef double[:, :, ::1] gradient = np.empty((3, len(events), n))
        cdef timetables_batch batch
        cdef int64_t outside
        batch.n_picks, batch.n_particles = len(events), n
        batch.event, batch.table, batch.hypocentre = &e[0], &t[0], &x[0, 0, 0]
        batch.time, batch.gradient = &time[0, 0], &gradient[0, 0, 0]
        with nogil:
            outside = timetables_evaluate(&self.c, &batch, threads)
        if outside >= 0:
            raise ValueError(f"hypocentres: event {events[outside]} has one outside the tables, as pick {outside} shows")
        return np.asarray(time).T, np.asarray(gradient).transpose(0, 2, 1)
