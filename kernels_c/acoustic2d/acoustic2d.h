/* Acoustic waves of constant density in two dimensions, and the exact gradient of anything that is computed from traces.
 *
 * Equation:   (1/v^2) u_tt = u_xx + u_zz + sum_k f_k(t) delta(x - x_k),     u = u_t = 0 at t = 0.
 *
 * Scheme, second order in time, order 2 to 8 in space. Absorbing layers stretch the coordinates by s = 1 + d / (i omega), in
 * the symmetric second-order form of Grote & Sim (2010, arXiv 1001.0319), here with every 1 / (i omega) replaced by
 * the trapezoidal rule, which central differences in time match exactly. With D = d dt / 2 on rows (z) and columns (x),
 *
 *     (1 + Dx)(1 + Dz) u[n+1] = 2 (1 - Dx Dz) u[n] - (1 - Dx)(1 - Dz) u[n-1] + (v dt)^2 q[n],
 *     q = s_z X u + s_x Z u + source,       X u = d_xx u + d_x (1 / s_x - 1) d_x u,      Z likewise,
 *
 * d_xx the central stencil of the order chosen, d_x staggered of 2nd or 4th order. Each 1 / s or s is a recursion with one memory
 * variable that lives in the layers only (as in the convolutional PML of Roden & Gedney 2000); a frequency shift is left out.
 *
 * The operator of q is symmetric in space and made of convolutions in time, so its transpose is the same scheme run backward
 * in time: one step function propagates waves, repeats them from checkpoints and propagates residuals backward. With w the
 * waves of the residuals, dJ/dv = (2 / v) sum_n w[n] q[n], layers included: their velocity is that of the nearest node.
 *
 * Assumptions: 1. Behind the layers u = 0. 2. A free surface is the first row: u = 0 there, odd above it. 3. (v dt)^2 is
 * below the stability limit; the caller checks. 4. Waves and residuals use FTZ arithmetic: denormal numbers are zero.
 *
 * Memory: the state is kept every `every` steps on a tape; backward, each stretch is repeated and its q kept. */
#ifndef ACOUSTIC2D_H
#define ACOUSTIC2D_H

#include <stddef.h>
#include <stdint.h>

enum { ACOUSTIC2D_OK = 0, ACOUSTIC2D_NO_MEMORY = 1 };

/* Nodes are numbered with the layers: row and column 0 are the outermost. */
typedef struct {
    int32_t model_rows, model_columns;
    int32_t top, layer; /* rows of the layer above the model (0 under a free surface); of the other three layers */
    int32_t half;       /* of the order in space: 1 to 4 */
    int32_t free_surface, n_steps;
    int32_t known_rows; /* of the model, from the top: their gradient is not wanted, and zero */
    double dt;
    const double *stencil_z, *stencil_x;         /* half + 1 coefficients, the centre's first, over the squared spacing */
    const double *staggered_z, *staggered_x;     /* 2, over the spacing */
    const double *damping_z, *damping_x;         /* D at rows and columns */
    const double *damping_z_half, *damping_x_half; /* D half a spacing further; 0 at the last */
} acoustic2d_plan;

/* n points between nodes: point k is the weighted sum over entries start[k] to start[k + 1]. */
typedef struct {
    int32_t n;
    const int32_t *start, *row, *column;
    const double *weight;
} acoustic2d_points;

/* Bytes of a tape that keeps the state every `every` steps. */
size_t acoustic2d_tape_size(const acoustic2d_plan *plan, size_t real_size, int every);

/* Bytes needed besides the tape, by a gradient with a tape of the same `every`. */
size_t acoustic2d_working_size(const acoustic2d_plan *plan, size_t real_size, int every);

/* Traces (n_steps, receivers) of a velocity (model_rows, model_columns), given wavelets (n_steps, sources). A tape makes the
 * gradient possible; it may be NULL. */
int acoustic2d_forward_float(const acoustic2d_plan *, const double *velocity, const acoustic2d_points *sources,
                             const float *wavelets, const acoustic2d_points *receivers, float *traces, int every, void *tape);
int acoustic2d_forward_double(const acoustic2d_plan *, const double *velocity, const acoustic2d_points *sources,
                              const double *wavelets, const acoustic2d_points *receivers, double *traces, int every,
                              void *tape);

/* Gradient (model_rows, model_columns) with respect to velocity, given that with respect to traces (n_steps, receivers). */
int acoustic2d_gradient_float(const acoustic2d_plan *, const double *velocity, const acoustic2d_points *sources,
                              const float *wavelets, const acoustic2d_points *receivers, const float *by_trace, int every,
                              const void *tape, double *gradient);
int acoustic2d_gradient_double(const acoustic2d_plan *, const double *velocity, const acoustic2d_points *sources,
                               const double *wavelets, const acoustic2d_points *receivers, const double *by_trace, int every,
                               const void *tape, double *gradient);

/* Name of the instruction set in use on this machine. */
const char *acoustic2d_simd_level(void);

#endif
