/* The equal-differential-time likelihood of earthquake location, and its gradient, for many particles and events at once.
 *
 * Equation   With residuals r_a = observed - predicted time of pick a, variances v_a and weights w_a, for each event
 *                S = sum over pairs a < b of w_a w_b (v_a + v_b)^(-1/2) exp(-(r_a - r_b)^2 / (v_a + v_b))
 *            (Lomax et al. 2000; Smith et al. 2022, eqs. 11-12, there with each pair twice, and S to the power of the number
 *            of pairs). Wanted are log S and its derivatives by every r_a and v_a.
 *
 * Schemes    Direct: all pairs, each lane of a SIMD register a particle. Where all pairs are so far apart that S would
 *            underflow, every exponent is first raised by that of the closest pair (log-sum-exp).
 *            Grid, for many picks: a pair's term is the overlap of two normal densities, so that with
 *                g(x) = sum_a G_a(x),   G_a(x) = w_a v_a^(-1/2) exp(-(x - r_a)^2 / v_a),
 *                2 S = pi^(-1/2) integral g^2 dx - sum_a w_a^2 (2 v_a)^(-1/2),
 *            and the derivatives of S are pi^(-1/2) integral g dG_a dx, less half of that of the self term.
 *            The trapezoidal rule of step h gives an overlap with the relative error 2 exp(-pi^2 v_a v_b / (h^2 (v_a + v_b)))
 *            (Trefethen & Weideman 2014): h = k min(v)^(1/2) fixes it for all pairs. G_a is cut off at c v_a^(1/2) and
 *            walks along the grid by two multiplications a node, as its ratio at neighbouring nodes is a geometric series.
 *            Each lane is a node. Cost: picks times their width over h, instead of picks squared.
 *
 * Properties 1. The grid is used where it is expected to be faster, if in the end the bound of its error,
 *                   e I / 2 + W exp(-c^2) sum_a w_a v_a^(-1/2) + u I,    I = 2 S + self terms, W = sum_a w_a,
 *               is below `tolerance` S: e is that of the step, c of the cut-off, u of rounding. Else all pairs are summed, as
 *               where most picks are far from all others: there the self terms cancel the digits of I.
 *            2. Gradients from the grid are wrong by at most about 30 `tolerance` min(v)^(-1/2) by r and min(v)^(-1) by v.
 *            3. The direct sum is good to 1e-14 relative in S, but for the rounding of exponents of far pairs in log S.
 *            4. A particle's result depends neither on its batch nor on the threads: both the choice between the schemes
 *               and the arithmetic see this particle's event alone.
 *            5. Everything is float64. In float32 a residual of 20 s would be off by 1e-5 of a sigma of 0.1 s, and S
 *               is to be raised to a power of the order of the number of picks.
 */
#ifndef VIP_EDT_H
#define VIP_EDT_H

#include <stddef.h>
#include <stdint.h>

enum { EDT_OK = 0, EDT_NO_MEMORY = 1 };

/* Distances in memory, in doubles, from one particle and from one pick to the next. */
typedef struct {
    ptrdiff_t particle, pick;
} edt_strides;

typedef struct {
    int64_t n_particles, n_events;
    const int64_t *start; /* (n_events + 1): picks of event e are start[e] to start[e + 1] */
    const double *residual, *variance;
    edt_strides residual_strides, variance_strides;
    const double *weight; /* (n_picks) */
    double tolerance;     /* relative, in S; 0: always sum all pairs */

    double *log_sum; /* (n_particles, n_events) */
    double *by_residual, *by_variance;
    edt_strides gradient_strides; /* of both */
} edt_batch;

int edt_evaluate(const edt_batch *batch, int n_threads);

/* Name of the instruction set in use on this machine. */
const char *edt_simd_level(void);
#endif
