# cython: language_level=3, boundscheck=False, embedsignature=True
"""The door to edt.c: checks what it is given, turns return codes into exceptions."""

import numpy as np

from libc.stdint cimport int64_t

from vip.kernels_c import door


cdef extern from "edt.h":
    ctypedef struct edt_strides:
        Py_ssize_t particle, pick
    ctypedef struct edt_batch:
        int64_t n_particles, n_events
        const int64_t *start
        const double *residual
        const double *variance
        edt_strides residual_strides, variance_strides
        const double *weight
        double tolerance
        double *log_sum
        double *by_residual
        double *by_variance
        edt_strides gradient_strides
    int EDT_OK, EDT_NO_MEMORY
    int edt_evaluate(const edt_batch *, int) nogil
    const char *edt_simd_level()


LARGEST = 1e12
"""Residuals (s), variances (s^2) and weights are from -LARGEST, 1 / LARGEST and 1 / LARGEST to LARGEST."""


def simd_level():
    """The instruction set that the kernel uses on this machine.

    >>> simd_level() in {"AVX-512", "AVX2", "plain C"}
    True
    """
    return edt_simd_level().decode()


def _within(name, values, shape, low):
    axes = ("particle", "pick")[-len(shape):]
    return door.real(name, values, shape, low=low, high=LARGEST, axes=axes, strided=True)


def _starts(start, n_picks):
    start = door.integers("start", start, ("n_events + 1",), low=0, high=n_picks)
    if start[0] != 0 or start[-1] != n_picks:
        raise ValueError(f"start: from {start[0]} to {start[-1]}: expected from 0 to the number of picks, {n_picks}")
    few = np.flatnonzero(np.diff(start) < 2)
    if len(few):
        e = few[0]
        raise ValueError(f"start: event {e}: from {start[e]} to {start[e + 1]}: expected two picks or more")
    return start


cdef edt_strides _strides(const double[:, :] array):
    cdef edt_strides strides
    strides.particle, strides.pick = array.strides[0] // sizeof(double), array.strides[1] // sizeof(double)
    return strides


def log_edt(residual, variance, start, weight=None, tolerance=1e-10, threads=1):
    """Logarithm of the sum over pairs of picks of the equal-differential-time likelihood, and its gradient.

    The sum of each event, with residuals r, variances v and weights w of its picks a and b, is
    ``S = sum over a < b of w_a w_b (v_a + v_b)**-0.5 exp(-(r_a - r_b)**2 / (v_a + v_b))``: eqs. 11-12 of Smith et al. (2022)
    after Lomax et al. (2000), with each pair once and before the power. A power N of S is a factor N of all results.

    Parameters
    ----------
    residual : (n_particles, n_picks) array_like
        Observed less predicted time of each pick, s; the picks of an event lie together. Any real dtype and memory order.
        Many events are faster in calls of some tens that fit the cache.
    variance : (n_particles, n_picks) array_like
        Variance of each pick, s^2: eq. 13.
    start : (n_events + 1,) int
        The picks of event e are ``start[e]`` to ``start[e + 1]``, two or more.
    weight : (n_picks,) array_like, optional
        Weights, positive; one by default.
    tolerance : float
        Relative error of S that is allowed for speed where events have more than about a hundred picks; the error of the
        gradient is up to thirty times this, times ``min(v)**-0.5`` by residual and ``1 / min(v)`` by variance. With 0 all
        pairs are summed one by one, to about 1e-14.
    threads : int
        Number of OpenMP threads; does not change the result.

    Returns
    -------
    log_sum : (n_particles, n_events) float64
        Log S, also where S itself would underflow.
    by_residual, by_variance : (n_particles, n_picks) float64
        Derivatives of the event's log S by its residuals, 1/s, and variances, 1/s^2. In the memory order of `residual`.

    Raises
    ------
    ValueError, TypeError
        If an argument has a wrong shape or dtype, holds NaN, or is out of range; the message names it.

    Examples
    --------
    Two picks 0.2 s apart: log S = -log(0.05) / 2 - 0.2**2 / 0.05.

    >>> log_sum, by_residual, by_variance = log_edt([[0.1, 0.3]], [[0.01, 0.04]], [0, 2])
    >>> log_sum.round(4), by_residual.round(4)
    (array([[0.6979]]), array([[ 8., -8.]]))
    """
    residual = _within("residual", residual, ("n_particles", "n_picks"), -LARGEST)
    shape = residual.shape
    variance = _within("variance", variance, shape, 1 / LARGEST)
    weight = np.ones(shape[1]) if weight is None else _within("weight", weight, shape[1:], 1 / LARGEST)
    cdef double allowed = door.number("tolerance", tolerance, low=0.0, high=0.01)
    cdef int n_threads = door.whole("threads", threads), code
    cdef const int64_t[::1] starts = _starts(start, shape[1])
    cdef const double[:, :] r = residual, v = variance
    cdef const double[::1] w = np.ascontiguousarray(weight)
    cdef double[:, ::1] log_sum = np.empty((shape[0], len(starts) - 1))
    cdef double[:, :] by_residual = np.empty_like(residual), by_variance = np.empty_like(residual)
    cdef edt_batch batch
    batch.n_particles, batch.n_events = log_sum.shape[0], log_sum.shape[1]
    batch.start, batch.weight, batch.tolerance = &starts[0], &w[0], allowed
    batch.residual, batch.residual_strides = &r[0, 0], _strides(r)
    batch.variance, batch.variance_strides = &v[0, 0], _strides(v)
    batch.log_sum, batch.by_residual, batch.by_variance = &log_sum[0, 0], &by_residual[0, 0], &by_variance[0, 0]
    batch.gradient_strides = _strides(by_residual)
    with nogil:
        code = edt_evaluate(&batch, n_threads)
    if code == EDT_NO_MEMORY:
        raise MemoryError("edt: not enough memory for the picks of the largest event")
    return np.asarray(log_sum), np.asarray(by_residual), np.asarray(by_variance)
