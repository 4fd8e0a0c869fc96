# cython: language_level=3, boundscheck=False, wraparound=False, embedsignature=True
"""The door to elastic3d.c: holds the fields, and turns return codes into exceptions. `solver.py` has checked the rest."""

import numpy as np

from libc.stdint cimport int32_t, int64_t

from vip.kernels_c import door
from vip.kernels_c.elastic3d.geometry import GHOST, STRESS_GHOST


cdef extern from "elastic3d.h":
    enum: ELASTIC3D_HALO, ELASTIC3D_GROUP, ELASTIC3D_FIELDS
    ctypedef struct elastic3d_plan:
        int32_t nodes[3]
        int32_t low[3]
        int32_t high[3]
        int32_t half, free_surface
        int64_t plane, row, field, origin
        const double *stencil[3]
        const double *keep[3]
        const double *share[3]
        const double *ghost
        const double *stress_ghost
    ctypedef struct elastic3d_taps:
        int32_t columns
        const int64_t *start
        const int64_t *offset
        const int32_t *field
        const int32_t *column
        const double *weight
    ctypedef struct elastic3d_box:
        int32_t first[3]
        int32_t count[3]
        int32_t every
        const double *half_way
        double dt
    ctypedef struct elastic3d_run:
        elastic3d_taps forces, moments, velocities, stresses
        const double *force_amplitudes
        const double *moment_amplitudes
        double *velocity_traces
        double *stress_traces
        int64_t n_steps
    size_t elastic3d_memories(const elastic3d_plan *)
    int elastic3d_advance_float(const elastic3d_plan *, float *, float *, const elastic3d_run *, int64_t, int64_t, int, int,
                                int) nogil
    int elastic3d_advance_double(const elastic3d_plan *, double *, double *, const elastic3d_run *, int64_t, int64_t, int, int,
                                 int) nogil
    void elastic3d_strains_float(const elastic3d_plan *, const float *, const elastic3d_box *, float *, int) nogil
    void elastic3d_strains_double(const elastic3d_plan *, const double *, const elastic3d_box *, float *, int) nogil
    const char *elastic3d_simd_level()


ALIGNMENT = 64
SKEW = 1088
"""Bytes between one field's end and the next one's beginning, so that the same node of all does not fall on one line of a cache."""


def simd_level():
    """The instruction set that the kernel uses on this machine.

    >>> simd_level() in {"AVX-512", "AVX2", "plain C"}
    True
    """
    return elastic3d_simd_level().decode()


cdef class Waves:
    """Fields on a grid, and the native steps that advance them.

    Parameters
    ----------
    plan : vip.kernels_c.elastic3d.solver.Plan
    precision : {"float32", "float64"}

    Attributes
    ----------
    fields : (17, planes, rows, nodes) array
        Velocities, stresses and parameters on the nodes of the grid with its layers: views of the kernel's memory.
    nbytes : int
        Number of bytes held.
    """

    cdef elastic3d_plan plan
    cdef readonly object fields, nbytes
    cdef object _all, _memories, _arrays
    cdef bint _single

    def __init__(self, plan, precision):
        cdef const double[::1] table
        nodes, dtype = plan.nodes, np.dtype(precision)
        self._single = precision == "float32"
        self._arrays = [door.real("stencil", stencil, (plan.half,)) for stencil in plan.stencils]
        for layers in (plan.keep, plan.share):
            self._arrays += [door.real("layer", layer, (2, n)).ravel() for layer, n in zip(layers, nodes)]
        self._arrays += [door.real("ghost", ghost, ("above", "below")).ravel() for ghost in (GHOST, STRESS_GHOST)]
        for a in range(3):
            self.plan.nodes[a], self.plan.low[a], self.plan.high[a] = nodes[a], plan.low[a], plan.high[a]
            table = self._arrays[a]
            self.plan.stencil[a] = &table[0]
            table = self._arrays[3 + a]
            self.plan.keep[a] = &table[0]
            table = self._arrays[6 + a]
            self.plan.share[a] = &table[0]
        table = self._arrays[9]
        self.plan.ghost = &table[0]
        table = self._arrays[10]
        self.plan.stress_ghost = &table[0]
        self.plan.half, self.plan.free_surface = plan.half, plan.free_surface
        self.plan.row = ELASTIC3D_GROUP + -(-nodes[2] // ELASTIC3D_GROUP) * ELASTIC3D_GROUP
        self.plan.plane = (nodes[1] + 2 * ELASTIC3D_HALO) * self.plan.row
        reals = (nodes[0] + 2 * ELASTIC3D_HALO) * self.plan.plane + ELASTIC3D_GROUP
        self.plan.field = -(-reals * dtype.itemsize // 4096) * 4096 // dtype.itemsize + SKEW // dtype.itemsize
        self.plan.origin = ELASTIC3D_HALO * (self.plan.plane + self.plan.row) + ELASTIC3D_GROUP
        self._all = _aligned(ELASTIC3D_FIELDS * self.plan.field, dtype)
        self._memories = _aligned(max(1, elastic3d_memories(&self.plan)), dtype)
        self.nbytes = self._all.nbytes + self._memories.nbytes
        strides = np.array([self.plan.field, self.plan.plane, self.plan.row, 1]) * dtype.itemsize
        self.fields = np.lib.stride_tricks.as_strided(self._all[self.plan.origin:], (ELASTIC3D_FIELDS, *nodes), strides)
        for field, values in enumerate(plan.parameters(), ELASTIC3D_FIELDS - 8):
            self.fields[field] = values

    def __reduce__(self):
        raise TypeError("Waves hold pointers and are not pickled: build them where they are used")

    def rest(self):
        """Bring everything to rest."""
        self._all[: 9 * self.plan.field] = 0
        self._memories[:] = 0

    def advance(self, work, first, count, blocking):
        """Advance by `count` steps from step `first`; traces are added to the arrays of `work`.

        Parameters
        ----------
        work : vip.kernels_c.elastic3d.solver.Work
        first, count : int
        blocking : vip.kernels_c.elastic3d.solver.Blocking
        """
        cdef elastic3d_run run
        cdef float[::1] fields, memories
        cdef double[::1] fields_double, memories_double
        cdef const double[:, ::1] forces = work.force_amplitudes, moments = work.moment_amplitudes
        cdef double[:, ::1] velocities = work.velocity_traces, stresses = work.stress_traces
        offsets = [self._taps(&run.forces, work.forces), self._taps(&run.moments, work.moments),
                   self._taps(&run.velocities, work.velocities), self._taps(&run.stresses, work.stresses)]
        run.force_amplitudes = &forces[0, 0] if forces.shape[1] else NULL
        run.moment_amplitudes = &moments[0, 0] if moments.shape[1] else NULL
        run.velocity_traces = &velocities[0, 0] if velocities.shape[1] else NULL
        run.stress_traces = &stresses[0, 0] if stresses.shape[1] else NULL
        run.n_steps = work.n_steps
        cdef int64_t first_ = first, count_ = count
        cdef int together = blocking.steps, tile = blocking.rows, threads = blocking.threads, code
        if self._single:
            fields, memories = self._all, self._memories
            with nogil:
                code = elastic3d_advance_float(&self.plan, &fields[0], &memories[0], &run, first_, count_, together, tile, threads)
        else:
            fields_double, memories_double = self._all, self._memories
            with nogil:
                code = elastic3d_advance_double(&self.plan, &fields_double[0], &memories_double[0], &run, first_, count_,
                                                together, tile, threads)
        if code:
            raise MemoryError("elastic3d: not enough memory for receivers and the tables of the layers")

    def strains(self, given, dt, threads):
        """Strains (6, planes, rows, nodes) float32 of the fields as they are, at the nodes of a box.

        Parameters
        ----------
        given : vip.kernels_c.elastic3d.solver.Box
        dt : float
            Time step, s.
        threads : int
        """
        cdef elastic3d_box box
        for a in range(3):
            box.first[a], box.count[a] = given.first[a], given.size[a]
        box.every, box.dt = given.every, dt
        cdef const double[::1] half_way = given.half_way
        box.half_way = &half_way[0]
        result = np.empty((6, *given.size), np.float32)
        cdef float[::1] out = result.reshape(-1)
        cdef const float[::1] fields
        cdef const double[::1] fields_double
        cdef int threads_ = threads
        if self._single:
            fields = self._all
            with nogil:
                elastic3d_strains_float(&self.plan, &fields[0], &box, &out[0], threads_)
        else:
            fields_double = self._all
            with nogil:
                elastic3d_strains_double(&self.plan, &fields_double[0], &box, &out[0], threads_)
        return result

    cdef _taps(self, elastic3d_taps *taps, given):
        """Set pointers; returns the arrays that they point into, which must live as long."""
        cdef const int64_t[::1] start = given.start, offset
        cdef const int32_t[::1] field = given.field, column = given.column
        cdef const double[::1] weight = given.weight
        offsets = given.node[:, 0] * self.plan.plane + given.node[:, 1] * self.plan.row + given.node[:, 2]
        taps.columns, taps.start = given.columns, &start[0]
        if len(offsets):
            offset = offsets
            taps.offset, taps.field, taps.column, taps.weight = &offset[0], &field[0], &column[0], &weight[0]
        return offsets


cdef _aligned(size_t count, dtype):
    """Zeros that begin on a line of the cache."""
    raw = np.zeros(count * dtype.itemsize + ALIGNMENT, np.uint8)
    skip = -raw.ctypes.data % ALIGNMENT
    return raw[skip : skip + count * dtype.itemsize].view(dtype)
