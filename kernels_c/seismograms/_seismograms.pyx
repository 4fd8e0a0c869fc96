# cython: language_level=3, boundscheck=False, wraparound=False, embedsignature=True
"""The door to seismograms.c: checks what it is given, holds the table."""

import numpy as np

from libc.stdint cimport int32_t, int64_t

from vip.kernels_c import door


cdef extern from "seismograms.h":
    int SEISMOGRAMS_OK, SEISMOGRAMS_LANES
    ctypedef struct seismograms_table:
        int32_t shape[3]
        int32_t rank, knots, stride, per_knot, samples
        const float *coefficient
        const float *basis
    ctypedef struct seismograms_batch:
        int64_t n
        const double *place
        const double *first
        const double *gain
        const double *mix
        const double *mix_slope
        const double *per_m
        const double *first_slope
        const double *gain_slope
        float *traces
        float *slopes
    int seismograms_lookup(const seismograms_table *, const seismograms_batch *, int) nogil


COMPONENTS = 6
LEAST = 4
"""Least number of coefficients along an axis."""
FARTHEST = 1e9
"""Largest knot, nodes and gains beside it: far from where whole numbers end."""


cdef class Seismograms:
    """Elementary seismograms that a few functions of time make up, as smooth functions of the place; see seismograms.h.

    Parameters
    ----------
    coefficients : (x + 2, y + 2, z + 2, 6, rank) array_like
        Coefficients of cubic B-splines in space, of each component of a moment tensor: those of the x, y and z nodes, and one
        more at either end of each axis.
    basis : (rank, knots) array_like
        Coefficients of cubic B-splines in time.
    per_knot : int
        Number of samples from one knot to the next.
    samples : int
        Number of samples of a seismogram.

    Raises
    ------
    ValueError, TypeError
        If an argument has a wrong shape or dtype, or is not finite; the message names it.
    """

    cdef seismograms_table c
    cdef object _coefficients, _basis
    cdef readonly object shape

    def __init__(self, coefficients, basis, per_knot, samples):
        basis = door.real("basis", basis, ("rank", "knots"), dtype=np.float32)
        rank, knots = basis.shape
        named = ("x", "y", "z", COMPONENTS, rank)
        self._coefficients = door.real("coefficients", coefficients, named, dtype=np.float32)
        shape = self._coefficients.shape[:3]
        if min(shape) < LEAST:
            raise ValueError(f"coefficients: shape {self._coefficients.shape}: expected {LEAST} or more along x, y and z")
        self.shape = tuple(n - 2 for n in shape)
        stride = -(-knots // SEISMOGRAMS_LANES) * SEISMOGRAMS_LANES + SEISMOGRAMS_LANES
        self._basis = np.zeros((rank, stride), np.float32)
        self._basis[:, :knots] = basis
        cdef const float[::1] coefficient = self._coefficients.ravel()
        cdef const float[:, ::1] function = self._basis
        for a in range(3):
            self.c.shape[a] = shape[a]
        self.c.rank, self.c.knots, self.c.stride = rank, knots, stride
        self.c.per_knot, self.c.samples = door.whole("per_knot", per_knot), door.whole("samples", samples)
        self.c.coefficient, self.c.basis = &coefficient[0], &function[0, 0]

    def __reduce__(self):
        raise TypeError("Seismograms hold pointers and are not pickled: build them where they are used")

    def lookup(self, places, first, gain, slopes=None, mix=None, threads=1):
        """Seismograms at some places, and their slopes if wanted.

        Parameters
        ----------
        places : (n, 3) array_like
            Places in nodes from the first along x, y and z.
        first : (n,) array_like
            Knot at which the first sample is.
        gain : (n,) array_like
            Positive factor of the seismograms.
        slopes : 3 arrays, optional
            For slopes: nodes per m (3,), and the derivatives (n, 3) of `first` and of `gain` by x, y and z, 1/m.
        mix : 2 arrays, optional
            Factors (n, 4) that make components zz, yz and xz, see seismograms.h, and their derivatives (n, 4, 3) by x, y and z.
        threads : int
            Number of OpenMP threads; does not change the result.

        Returns
        -------
        traces : (n, 6, samples) float32
        slopes : (n, 6, samples, 3) float32 or None
            Derivatives by x, y and z, per m.

        Raises
        ------
        ValueError, TypeError
            If an argument has a wrong shape or dtype or is not finite, or a place lies outside the nodes.
        """
        cdef const double[:, ::1] place = door.points("places", places, self._contains, axes=3)
        n = place.shape[0]
        cdef const double[::1] begin = door.real("first", first, (n,), low=-FARTHEST, high=FARTHEST)
        cdef const double[::1] factor = door.real("gain", gain, (n,), low=door.SMALLEST)
        cdef const double[::1] per_m
        cdef const double[:, ::1] first_slope, gain_slope, made_of
        cdef const double[:, :, ::1] made_of_slope
        traces = np.empty((n, COMPONENTS, self.c.samples), np.float32)
        cdef float[:, :, ::1] out = traces
        cdef float[:, :, :, ::1] moved
        cdef seismograms_batch b
        cdef int n_threads = door.whole("threads", threads), code
        b.n, b.place, b.first, b.gain, b.traces = n, &place[0, 0], &begin[0], &factor[0], &out[0, 0, 0]
        b.per_m = b.first_slope = b.gain_slope = NULL
        b.slopes = NULL
        b.mix = b.mix_slope = NULL
        if mix is not None:
            made_of = door.real("mix[0]", mix[0], (n, 4))
            made_of_slope = door.real("mix[1]", mix[1], (n, 4, 3))
            b.mix, b.mix_slope = &made_of[0, 0], &made_of_slope[0, 0, 0]
        found = None
        if slopes is not None:
            per_m = door.real("slopes[0]", slopes[0], (3,))
            first_slope = door.real("slopes[1]", slopes[1], (n, 3))
            gain_slope = door.real("slopes[2]", slopes[2], (n, 3))
            found = np.empty((n, COMPONENTS, self.c.samples, 3), np.float32)
            moved = found
            b.per_m, b.first_slope, b.gain_slope = &per_m[0], &first_slope[0, 0], &gain_slope[0, 0]
            b.slopes = &moved[0, 0, 0, 0]
        with nogil:
            code = seismograms_lookup(&self.c, &b, n_threads)
        if code != SEISMOGRAMS_OK:
            raise MemoryError("seismograms: not enough memory for waveforms")
        return traces, found

    def _contains(self, places):
        return ((places >= 0) & (places <= np.array(self.shape) - 1)).all(axis=1)
