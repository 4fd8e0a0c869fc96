# cython: language_level=3, boundscheck=False, wraparound=False, embedsignature=True
"""The door to timetables.c: checks what it is given, holds the tables."""

import numpy as np

from libc.stdint cimport int32_t, int64_t

from vip.kernels_c import door
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
"""Least number of nodes along each axis."""
TOGETHER = 2**17
"""Number of nodes of tables whose coefficients are found at once: small ones take as long as a large one."""


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
        Coordinates of the first node and spacing of the nodes, km.

    Raises
    ------
    ValueError, TypeError
        If an argument has a wrong shape or dtype, or is not finite; the message names it.
    """

    cdef timetables c
    cdef readonly object shape, places, origin, spacing
    cdef object _coefficients

    def __init__(self, slowness, places, origin, spacing):
        slowness = door.array("slowness", slowness)
        dims = slowness.ndim - 1
        if dims not in (2, 3):
            raise ValueError(f"slowness: shape {slowness.shape}: expected (n_tables, nx, ny, nz) or (n_tables, nr, nz)")
        slowness = door.real("slowness", slowness, ("n_tables", "nx", "ny", "nz") if dims == 3 else ("n_tables", "nr", "nz"))
        n, self.shape = slowness.shape[0], slowness.shape[1:]
        if min(self.shape) < LEAST_NODES:
            raise ValueError(f"slowness: shape {slowness.shape}: expected {LEAST_NODES} nodes or more an axis")
        self.places = door.real("places", places, (n, 3))
        self.origin = door.real("origin", origin, (dims,))
        self.spacing = door.real("spacing", spacing, (dims,), low=door.SMALLEST, unit="km")
        if dims == 2 and self.origin[0] != 0:
            raise ValueError(f"origin: {self.origin}: distance must begin at 0")
        self._coefficients = np.empty((n, *(m + 3 for m in self.shape)), np.float32)
        together = max(1, TOGETHER // int(np.prod(self.shape)))
        for i in range(0, n, together):
            self._coefficients[i : i + together] = coefficients(slowness[i : i + together], dims == 2)
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

    def evaluate(self, hypocentres, event, table, threads=1):
        """Travel times and their gradients.

        Parameters
        ----------
        hypocentres : (n_particles, n_events, 3) array_like
            X, y and depth, km. Any real dtype and memory order.
        event, table : (n_picks,) int
            Event of each pick, and the table of its station and phase.
        threads : int
            Number of OpenMP threads; does not change the result.

        Returns
        -------
        time : (n_particles, n_picks) float64
            Travel times, s.
        gradient : (3, n_particles, n_picks) float64
            Derivatives of the times by x, y and depth of the pick's event, s/km. In memory, both have the particles next to each
            other.

        Raises
        ------
        ValueError, TypeError
            If an argument has a wrong shape or dtype or is not finite, or a hypocentre lies outside the tables.
        """
        hypocentres = door.real("hypocentres", hypocentres, ("n_particles", "n_events", 3))
        n, n_events = hypocentres.shape[:2]
        events = door.integers("event", event, ("n_picks",), low=0, high=n_events - 1, dtype=np.int32)
        tables = door.integers("table", table, (len(events),), low=0, high=len(self.places) - 1, dtype=np.int32)
        cdef const int32_t[::1] e = events, t = tables
        cdef const double[:, :, ::1] x = np.ascontiguousarray(np.moveaxis(hypocentres, 0, 2))
        cdef double[:, ::1] time = np.empty((len(events), n))
        cdef double[:, :, ::1] gradient = np.empty((3, len(events), n))
        cdef timetables_batch batch
        cdef int n_threads = door.whole("threads", threads)
        cdef int64_t outside
        batch.n_picks, batch.n_particles = len(events), n
        batch.event, batch.table, batch.hypocentre = &e[0], &t[0], &x[0, 0, 0]
        batch.time, batch.gradient = &time[0, 0], &gradient[0, 0, 0]
        with nogil:
            outside = timetables_evaluate(&self.c, &batch, n_threads)
        if outside >= 0:
            raise ValueError(f"hypocentres: event {events[outside]} has one outside the tables, as pick {outside} shows")
        return np.asarray(time).T, np.asarray(gradient).transpose(0, 2, 1)
