# cython: language_level=3, boundscheck=False, wraparound=False, embedsignature=True
"""The door to acoustic2d.c: checks what it is given, holds tables and tapes, turns return codes into exceptions."""

import math

import numpy as np

from libc.stdint cimport int32_t

from vip.kernels_c import door
from vip.kernels_c.acoustic2d.geometry import points_between
from vip.kernels_c.staggered import ON_NODE


cdef extern from "acoustic2d.h":
    ctypedef struct acoustic2d_plan:
        int32_t model_rows, model_columns, top, layer, half, free_surface, n_steps, known_rows
        double dt
        const double *stencil_z
        const double *stencil_x
        const double *staggered_z
        const double *staggered_x
        const double *damping_z
        const double *damping_x
        const double *damping_z_half
        const double *damping_x_half
    ctypedef struct acoustic2d_points:
        int32_t n
        const int32_t *start
        const int32_t *row
        const int32_t *column
        const double *weight
    int ACOUSTIC2D_OK, ACOUSTIC2D_NO_MEMORY
    size_t acoustic2d_tape_size(const acoustic2d_plan *, size_t, int)
    size_t acoustic2d_working_size(const acoustic2d_plan *, size_t, int)
    int acoustic2d_forward_float(const acoustic2d_plan *, const double *, const acoustic2d_points *, const float *,
                                 const acoustic2d_points *, float *, int, void *) nogil
    int acoustic2d_forward_double(const acoustic2d_plan *, const double *, const acoustic2d_points *, const double *,
                                  const acoustic2d_points *, double *, int, void *) nogil
    int acoustic2d_gradient_float(const acoustic2d_plan *, const double *, const acoustic2d_points *, const float *,
                                  const acoustic2d_points *, const float *, int, const void *, double *) nogil
    int acoustic2d_gradient_double(const acoustic2d_plan *, const double *, const acoustic2d_points *, const double *,
                                   const acoustic2d_points *, const double *, int, const void *, double *) nogil
    const char *acoustic2d_simd_level()


def simd_level():
    """The instruction set that the kernel uses on this machine.

    >>> simd_level() in {"AVX-512", "AVX2", "plain C"}
    True
    """
    return acoustic2d_simd_level().decode()


cdef class Shot:
    """Sources that fire together, and their receivers, on a grid.

    Parameters
    ----------
    grid : Grid
    sources, receivers : (n, 2) float
        Depth and distance, m, anywhere in the model. Several receivers may be at one place.
    precision : {"float32", "float64"}
        Precision of waves and traces. Velocities and gradients are float64.

    Raises
    ------
    ValueError, TypeError
        If a point lies outside the model, a source on a free surface, or a shape is wrong; the message names the argument.
    """

    cdef acoustic2d_plan plan
    cdef acoustic2d_points c_sources, c_receivers
    cdef readonly object grid, precision, n_sources, n_receivers
    cdef object _arrays
    cdef int _every
    cdef bint _single

    def __init__(self, grid, sources, receivers, precision="float32"):
        door.one_of("precision", precision, ("float32", "float64"))
        self.grid, self.precision, self._single = grid, precision, precision == "float32"
        sources = door.points("sources", sources, grid.contains, axes=2, unit="m")
        receivers = door.points("receivers", receivers, grid.contains, axes=2, unit="m")
        if grid.free_surface and (sources[:, 0] < ON_NODE * grid.spacing[0]).any():
            raise ValueError("sources: one is on the free surface, where pressure is zero; put it deeper")
        self.n_sources, self.n_receivers = len(sources), len(receivers)
        from_points, to_points = points_between(grid, sources), points_between(grid, receivers)
        # A point source is a density: one over the area of a node.
        from_points = from_points._replace(weight=from_points.weight / (grid.spacing[0] * grid.spacing[1]))
        self._arrays = [*grid.stencils, *grid.staggered, *grid.damping, *from_points, *to_points]
        self._fill()
        states = acoustic2d_tape_size(&self.plan, 1, grid.n_steps)
        nodes = (grid.top + grid.shape[0] + grid.layer) * (grid.shape[1] + 2 * grid.layer)
        # n / every states and `every` fields: memory is least where both are equal. Half of that keeps more of the fields in cache.
        self._every = max(1, round(math.sqrt(grid.n_steps * states / nodes) / 2))

    def __reduce__(self):
        raise TypeError("a Shot holds pointers and is not pickled: build it where it is used")

    cdef _fill(self):
        grid = self.grid
        cdef const double[::1] view
        cdef const double *doubles[8]
        for i in range(8):
            view = self._arrays[i]
            doubles[i] = &view[0]
        self.plan.stencil_z, self.plan.stencil_x = doubles[0], doubles[1]
        self.plan.staggered_z, self.plan.staggered_x = doubles[2], doubles[3]
        self.plan.damping_z, self.plan.damping_x = doubles[4], doubles[5]
        self.plan.damping_z_half, self.plan.damping_x_half = doubles[6], doubles[7]
        self.plan.model_rows, self.plan.model_columns = grid.shape
        self.plan.top, self.plan.layer, self.plan.half = grid.top, grid.layer, grid.order // 2
        self.plan.free_surface, self.plan.n_steps, self.plan.dt = grid.free_surface, grid.n_steps, grid.dt
        self.plan.known_rows = grid.known_rows
        _set_points(&self.c_sources, self._arrays[8:12])
        _set_points(&self.c_receivers, self._arrays[12:16])

    @property
    def memory(self):
        """Number of bytes that `propagate` and the gradient need."""
        cdef size_t real = 4 if self._single else 8
        tape = acoustic2d_tape_size(&self.plan, real, self._every)
        traces = 2 * self.grid.n_steps * self.n_receivers * real
        return tape + acoustic2d_working_size(&self.plan, real, self._every) + traces


cdef _set_points(acoustic2d_points *points, arrays):
    cdef const int32_t[::1] start = arrays[0], row = arrays[1], column = arrays[2]
    cdef const double[::1] weight = arrays[3]
    points.n = len(start) - 1
    points.start, points.row, points.column, points.weight = &start[0], &row[0], &column[0], &weight[0]


def _velocity(velocity, grid):
    velocity = door.real("velocity", velocity, grid.shape, low=door.SMALLEST, unit="m/s", axes=("row", "column"))
    limit = grid.largest_time_step(velocity.max())
    if grid.dt > limit:
        raise ValueError(f"velocity: {velocity.max():g} m/s is unstable with dt = {grid.dt:g} s: needs dt <= {limit:.3g} s")
    return velocity


cdef class Waves:
    """Waves of one shot in one model: its traces, and the tape that a gradient needs.

    Attributes
    ----------
    traces : (n_steps, n_receivers) float32 or float64
        Pressure, in the unit of the wavelets times s^2/m^2 of the 2-D Green's function.
    """

    cdef readonly object traces
    cdef Shot shot
    cdef object velocity, wavelets, tape

    def __init__(self, velocity, Shot shot not None, wavelets, bint with_tape):
        self.shot = shot
        grid, dtype = shot.grid, np.dtype(shot.precision)
        # Copies: the gradient repeats these waves, whatever becomes of the arguments.
        self.velocity = _velocity(velocity, grid).copy()
        self.wavelets = door.real("wavelets", wavelets, (grid.n_steps, shot.n_sources), dtype=dtype).copy()
        self.traces = np.empty((grid.n_steps, shot.n_receivers), dtype)
        cdef void *tape_ = NULL
        cdef unsigned char[::1] tape
        if with_tape:
            self.tape = np.empty(acoustic2d_tape_size(&shot.plan, dtype.itemsize, shot._every), np.uint8)
            tape = self.tape
            tape_ = &tape[0]
        cdef const double[:, ::1] v = self.velocity
        cdef const float[:, ::1] single
        cdef const double[:, ::1] double_
        cdef float[:, ::1] traces_single
        cdef double[:, ::1] traces_double
        cdef int code
        if shot._single:
            single, traces_single = self.wavelets, self.traces
            with nogil:
                code = acoustic2d_forward_float(&shot.plan, &v[0, 0], &shot.c_sources, &single[0, 0], &shot.c_receivers,
                                                &traces_single[0, 0], shot._every, tape_)
        else:
            double_, traces_double = self.wavelets, self.traces
            with nogil:
                code = acoustic2d_forward_double(&shot.plan, &v[0, 0], &shot.c_sources, &double_[0, 0], &shot.c_receivers,
                                                 &traces_double[0, 0], shot._every, tape_)
        _check(code)

    def gradient(self, by_trace):
        """Gradient (rows, columns) by velocity of any function of the traces, exact for the discrete waves.

        Parameters
        ----------
        by_trace : (n_steps, n_receivers) array_like
            Gradient of the function by trace. Any real dtype and memory order.

        Returns
        -------
        (rows, columns) float64
            Gradient, per m/s.
        """
        cdef Shot shot = self.shot
        grid = shot.grid
        if self.tape is None:
            raise ValueError("these waves were propagated without a tape")
        by_trace = door.real("by_trace", by_trace, self.traces.shape, dtype=self.traces.dtype)
        cdef double[:, ::1] gradient = np.empty(grid.shape)
        cdef const unsigned char[::1] tape = self.tape
        cdef const double[:, ::1] v = self.velocity
        cdef const float[:, ::1] single, residual_single
        cdef const double[:, ::1] double_, residual_double
        cdef int code
        if shot._single:
            single, residual_single = self.wavelets, by_trace
            with nogil:
                code = acoustic2d_gradient_float(&shot.plan, &v[0, 0], &shot.c_sources, &single[0, 0], &shot.c_receivers,
                                                 &residual_single[0, 0], shot._every, &tape[0], &gradient[0, 0])
        else:
            double_, residual_double = self.wavelets, by_trace
            with nogil:
                code = acoustic2d_gradient_double(&shot.plan, &v[0, 0], &shot.c_sources, &double_[0, 0], &shot.c_receivers,
                                                  &residual_double[0, 0], shot._every, &tape[0], &gradient[0, 0])
        _check(code)
        return np.asarray(gradient)


cdef _check(int code):
    if code == ACOUSTIC2D_NO_MEMORY:
        raise MemoryError("acoustic2d: not enough memory for the wavefields")


def propagate(velocity, Shot shot not None, wavelets):
    """Propagate the waves of a shot, with a tape: traces, and any gradient of them.

    Parameters
    ----------
    velocity : (rows, columns) array_like
        Velocity, m/s. Any real dtype and memory order.
    shot : Shot
    wavelets : (n_steps, n_sources) array_like
        Source time functions f(t) of the right-hand side f(t) delta(x).

    Returns
    -------
    Waves

    Raises
    ------
    ValueError, TypeError
        If an argument has a wrong shape or dtype or holds NaN, or the velocity is unstable; the message names it.
    """
    return Waves(velocity, shot, wavelets, True)


def traces(velocity, Shot shot not None, wavelets):
    """Traces (n_steps, n_receivers) of a shot alone; arguments and errors are those of `propagate`."""
    return Waves(velocity, shot, wavelets, False).traces
