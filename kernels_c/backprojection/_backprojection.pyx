# cython: language_level=3, boundscheck=False, wraparound=False, embedsignature=True
"""The door to backprojection.c: checks what it is given."""

import numpy as np

from libc.stdint cimport int32_t, int64_t

from vip.kernels_c import door


cdef extern from "backprojection.h":
    ctypedef struct backprojection:
        int64_t n_nodes, n_channels, n_steps, n_times
        const float *gain
        const int32_t *channel
        const int32_t *delay
        float *best
        int32_t *node
    void backprojection_run(const backprojection *, int) nogil


LARGEST = 1e6
"""Largest absolute gain."""


def back_project(gain, channel, delay, threads=1):
    """Find the node that explains most picks, for every origin time.

    Parameters
    ----------
    gain : (n_channels, n_steps) array_like
        Log-likelihood ratio of an arrival against chance, at each step of time, for each channel (a station and a phase).
    channel : (n_nodes, n_channels) int
        Channels of each node in the order in which an event there is seen, the nearest first; -1 after the last one.
    delay : (n_nodes, n_channels) int
        Travel times from the node to these channels, in steps of time; anything from 0 on after the last one.
    threads : int
        Number of OpenMP threads; does not change the result.

    Returns
    -------
    best : (n_times,) float32
        Largest sum of gains at an origin time over nodes and over the number of nearest channels, or 0 if that is larger. There
        are n_steps less the longest delay times.
    node : (n_times,) int32
        The first node that has it, or -1 where it is 0.

    Raises
    ------
    ValueError, TypeError
        If an argument has a wrong shape or dtype, is not finite or is out of range; the message names it.
    """
    gain = door.real("gain", gain, ("n_channels", "n_steps"), low=-LARGEST, high=LARGEST, dtype=np.float32)
    n_channels, n_steps = gain.shape
    channels = door.integers("channel", channel, ("n_nodes", n_channels), low=-1, high=n_channels - 1, dtype=np.int32)
    delays = door.integers("delay", delay, (len(channels), n_channels), low=0, high=n_steps - 1, dtype=np.int32)
    cdef const float[:, ::1] g = gain
    cdef const int32_t[:, ::1] c = channels, d = delays
    cdef int n_threads = door.whole("threads", threads)
    cdef backprojection b
    b.n_nodes, b.n_channels, b.n_steps = channels.shape[0], n_channels, n_steps
    b.n_times = n_steps - int(delays.max())
    cdef float[::1] best = np.empty(b.n_times, np.float32)
    cdef int32_t[::1] node = np.empty(b.n_times, np.int32)
    b.gain, b.channel, b.delay, b.best, b.node = &g[0, 0], &c[0, 0], &d[0, 0], &best[0], &node[0]
    with nogil:
        backprojection_run(&b, n_threads)
    return np.asarray(best), np.asarray(node)
