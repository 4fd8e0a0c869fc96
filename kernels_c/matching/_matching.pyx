# cython: language_level=3, boundscheck=False, wraparound=False, embedsignature=True
"""The door to matching.c: checks what it is given, turns return codes into exceptions."""

import numpy as np

from libc.stdint cimport int64_t

from vip.kernels_c import door


cdef extern from "matching.h":
    ctypedef struct matching_problem:
        int64_t n_channels
        const int64_t *first_prediction
        const int64_t *first_pick
        const double *prediction
        const double *prediction_gain
        const double *pick
        const double *pick_gain
        const double *sigma
    int MATCHING_OK, MATCHING_NO_MEMORY, MATCHING_TOO_MANY, MATCHING_MOST
    int matching_best(const matching_problem *, int64_t *) nogil
    void matching_pairs(const matching_problem *, double, int64_t *, int64_t *) nogil
    int matching_sums(const matching_problem *, const int64_t *, const int64_t *, double *, double *, int64_t *) nogil


LARGEST = 1e9
"""Largest absolute time (s) and gain."""


def _starts(name, start, n, of):
    start = door.integers(name, start, ("n_channels + 1",), low=0, high=n, dtype=np.int64)
    if start[0] != 0 or start[-1] != n or (np.diff(start) < 0).any():
        raise ValueError(f"{name}: from {start[0]} to {start[-1]}: expected to rise from 0 to the number of {of}, {n}")
    return start


def _sorted(name, times, start):
    times = np.ascontiguousarray(times, dtype=np.float64)
    if times.ndim != 1 or not (np.abs(times) <= LARGEST).all():
        raise ValueError(f"{name}: expected one axis of times from -{LARGEST:g} to {LARGEST:g} s")
    inner = np.ones(max(len(times) - 1, 0), bool)
    inner[start[1:-1][(start[1:-1] > 0) & (start[1:-1] < len(times))] - 1] = False
    falls = np.flatnonzero((np.diff(times) < 0) & inner)
    if len(falls):
        raise ValueError(f"{name}: {falls[0] + 1}: is earlier than the one before it in its channel: sort them by time")
    return times


def _gains(name, values, n):
    values = np.ascontiguousarray(values, dtype=np.float64)
    if values.shape != (n,) or not (np.abs(values) <= LARGEST).all():
        raise ValueError(f"{name}: shape {values.shape}: expected ({n},) numbers from -{LARGEST:g} to {LARGEST:g}")
    return values


cdef class Matching:
    """Predicted arrivals and picks of all channels, and the gains of matching them.

    Matching prediction j with pick k gains ``prediction_gain[j] + pick_gain[k] - (pick[k] - prediction[j])**2 / (2 sigma[k]**2)``
    over leaving both unmatched.

    Parameters
    ----------
    first_prediction, first_pick : (n_channels + 1,) int
        Predictions of channel c are ``first_prediction[c]`` to ``first_prediction[c + 1]``, sorted by time; picks likewise.
    prediction, prediction_gain : (n_predictions,) array_like
        Times, s, and log-odds of the wave to be picked.
    pick, pick_gain, sigma : (n_picks,) array_like
        Times, s, logarithm of how seldom such a pick comes by chance, and standard deviations, s.

    Raises
    ------
    ValueError, TypeError
        If an argument has a wrong shape or dtype, is not finite or not sorted; the message names it.
    """

    cdef matching_problem c
    cdef object _kept
    cdef readonly int n_predictions

    def __init__(self, first_prediction, first_pick, prediction, prediction_gain, pick, pick_gain, sigma):
        prediction, pick = np.asarray(prediction), np.asarray(pick)
        first_prediction = _starts("first_prediction", first_prediction, prediction.size, "predictions")
        first_pick = _starts("first_pick", first_pick, pick.size, "picks")
        if len(first_prediction) != len(first_pick):
            raise ValueError(f"first_pick: {len(first_pick)} entries: expected {len(first_prediction)}, as in first_prediction")
        prediction, pick = _sorted("prediction", prediction, first_prediction), _sorted("pick", pick, first_pick)
        prediction_gain, pick_gain = (
            _gains("prediction_gain", prediction_gain, len(prediction)), _gains("pick_gain", pick_gain, len(pick))
        )
        sigma = _gains("sigma", sigma, len(pick))
        if not (sigma > 1 / LARGEST).all():
            raise ValueError("sigma: must be positive")
        self._kept = [first_prediction, first_pick] + [
            np.append(array, 0.0) for array in (prediction, prediction_gain, pick, pick_gain, sigma)  # never of length 0
        ]
        cdef const int64_t[::1] fp = first_prediction, fk = first_pick
        cdef const double[::1] p = self._kept[2], a = self._kept[3], t = self._kept[4], b = self._kept[5], s = self._kept[6]
        self.n_predictions = len(prediction)
        self.c.n_channels = len(first_prediction) - 1
        self.c.first_prediction, self.c.first_pick = &fp[0], &fk[0]
        self.c.prediction, self.c.prediction_gain, self.c.pick, self.c.pick_gain, self.c.sigma = &p[0], &a[0], &t[0], &b[0], &s[0]

    def best(self):
        """The matching of largest gain.

        Where picks of a channel have equal standard deviations it is exact, since two matches that cross gain no more than the
        same two uncrossed; where they differ, it is the best that does not cross.

        Returns
        -------
        match : (n_predictions,) int64
            The pick of each prediction, or -1 if it has none.
        """
        cdef int64_t[::1] match = np.full(self.n_predictions + 1, -1, np.int64)
        cdef int code
        with nogil:
            code = matching_best(&self.c, &match[0])
        if code == MATCHING_NO_MEMORY:
            raise MemoryError("matching: not enough memory for the largest group of picks")
        return np.asarray(match)[:-1]

    def probabilities(self, reach=5.0):
        """The probability of every pair, over all matchings, with the predictions as they are.

        Parameters
        ----------
        reach : float
            Pairs with a gain below ``-reach`` are left out.

        Returns
        -------
        first_pair : (n_predictions + 1,) int64
            Pairs of prediction j are ``first_pair[j]`` to ``first_pair[j + 1]``.
        pick : (n_pairs,) int64
            Pick of each pair.
        probability : (n_pairs,) float64

        Raises
        ------
        OverflowError
            If more than 16 predictions of a channel are in reach of a pick: say a smaller `reach`.
        """
        return self.sums(reach)[:3]

    def sums(self, reach=5.0):
        """The probability of every pair as `probabilities` gives it, and the sum over all matchings that it is a share of.

        Parameters
        ----------
        reach : float
            Pairs with a gain below ``-reach`` are left out.

        Returns
        -------
        first_pair, pick, probability
            See `probabilities`.
        log_sum : (n_channels,) float64
            Logarithm of the sum, over all matchings of a channel, of the exponential of their gain; 0 where there is no pair.

        Raises
        ------
        OverflowError
            If more than 16 predictions of a channel are in reach of a pick: say a smaller `reach`.
        """
        cdef double within = door.number("reach", reach, low=-LARGEST, high=LARGEST)
        cdef int64_t[::1] first = np.zeros(self.n_predictions + 1, np.int64)
        cdef int64_t channel = 0
        cdef int code
        with nogil:
            matching_pairs(&self.c, within, &first[0], NULL)
        cdef int64_t n = first[self.n_predictions]
        cdef int64_t[::1] pick = np.zeros(n + 1, np.int64)
        cdef double[::1] probability = np.zeros(n + 1), log_sum = np.zeros(self.c.n_channels + 1)
        with nogil:
            matching_pairs(&self.c, within, &first[0], &pick[0])
            code = matching_sums(&self.c, &first[0], &pick[0], &probability[0], &log_sum[0], &channel)
        if code == MATCHING_NO_MEMORY:
            raise MemoryError("matching: not enough memory for the sets of predictions")
        if code == MATCHING_TOO_MANY:
            raise OverflowError(f"matching: channel {channel}: more than {MATCHING_MOST} predictions in reach of a pick")
        return np.asarray(first), np.asarray(pick)[:-1], np.asarray(probability)[:-1], np.asarray(log_sum)[:-1]
