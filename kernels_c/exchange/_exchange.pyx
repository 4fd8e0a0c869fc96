# cython: language_level=3, boundscheck=False, wraparound=False, embedsignature=True
"""The door to exchange.c: checks what it is given."""

import numpy as np

from libc.stdint cimport int32_t, int64_t

from vip.kernels_c import door


cdef extern from "exchange.h":
    ctypedef struct exchange_problem:
        int64_t n_events, n_channels, n_slots, n_moves
        const double *projector
        const int32_t *move
        const double *slack
        double *slot
        double *datum
        double *half_gradient
    double exchange_run(const exchange_problem *) nogil


LARGEST = 1e9
"""Largest absolute time, s."""


def _slots(slot, n_channels, n_events):
    slot = np.array(slot, dtype=np.float64, order="C", ndmin=1)
    if slot.ndim != 2 or slot.shape[0] != n_channels or slot.shape[1] < n_events:
        raise ValueError(f"slot: shape {slot.shape}: expected ({n_channels}, at least {n_events})")
    if not (np.isnan(slot) | (np.abs(slot) <= LARGEST)).all():
        raise ValueError(f"slot: expected times from -{LARGEST:g} to {LARGEST:g} s, or NaN where there is no pick")
    return slot


def exchange(projector, half_gradient, datum, slot, move, slack):
    """Exchange picks between events, in the order of the moves, where the sum of squares does not rise by more than it may.

    Parameters
    ----------
    projector : (n, n) array_like
        Symmetric matrix, with a positive diagonal, that projects data onto what no unknown explains; n is the number of events
        times that of channels.
    half_gradient : (n_events, n_channels) array_like
        Half of the gradient of the sum of squares by the data, s.
    datum : (n_events, n_channels) array_like
        Times of the picks of events, s, and what is taken for those that are missing.
    slot : (n_channels, n_slots) array_like
        Times of picks, s: those of the events, then those of none; NaN where there is no pick.
    move : (n_moves, 3) array_like of int
        Channel, event, and the slot with which the event's pick is exchanged.
    slack : (n_moves,) array_like
        Rise of the sum of squares, s^2, that a move may cost.

    Returns
    -------
    slot, datum, half_gradient
        As they are afterwards.
    change : float
        Change of the sum of squares, s^2.

    Raises
    ------
    ValueError, TypeError
        If an argument has a wrong shape or dtype, is not finite or is out of range; the message names it.
    """
    datum = np.array(door.real("datum", datum, ("n_events", "n_channels"), low=-LARGEST, high=LARGEST))
    n_events, n_channels = datum.shape
    n = n_events * n_channels
    half_gradient = np.array(door.real("half_gradient", half_gradient, datum.shape))
    projector = door.real("projector", projector, (n, n))
    if not (np.diag(projector) > 0).all():
        raise ValueError("projector: its diagonal must be positive")
    slot = _slots(slot, n_channels, n_events)
    move = door.integers("move", move, ("n_moves", 3), low=0, high=door.MOST, dtype=np.int32)
    if (move >= [n_channels, n_events, slot.shape[1]]).any():
        raise ValueError(f"move: expected channels below {n_channels}, events below {n_events}, slots below {slot.shape[1]}")
    if (move[:, 1] == move[:, 2]).any():
        raise ValueError("move: an event and another slot must differ")
    slack = door.real("slack", slack, (len(move),))
    cdef const double[:, ::1] p = projector
    cdef const int32_t[:, ::1] m = move
    cdef const double[::1] may = slack
    cdef double[:, ::1] s = slot, d = datum, q = half_gradient
    cdef exchange_problem e
    cdef double change
    e.n_events, e.n_channels, e.n_slots, e.n_moves = n_events, n_channels, slot.shape[1], len(move)
    e.projector, e.move, e.slack = &p[0, 0], &m[0, 0], &may[0]
    e.slot, e.datum, e.half_gradient = &s[0, 0], &d[0, 0], &q[0, 0]
    with nogil:
        change = exchange_run(&e)
    return slot, datum, half_gradient, change
