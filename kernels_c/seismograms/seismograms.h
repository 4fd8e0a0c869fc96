/* Elementary seismograms between the nodes of a table, and their slopes by the place of the event.
 *
 * Equation   At a place x, the seismogram of component c of a moment tensor is
 *                g_c(t) = gain(x) sum_r q_cr(x) b_r(t / knot + first(x)),
 *            where b are functions of time that are the same at all places, q is smooth in x, and `first`, the knot of the first
 *            sample, falls as P arrives later. b and q are cubic B-splines:  q(u) = sum_i coefficient_i B(u - i). The slope is
 *                dg = gain (dq b + q b' dfirst) + dgain q b.
 *            With `mix` = (m0, m1, m2, m3), which may jump where the earth does, components zz, yz and xz are made of smooth ones:
 *                q_zz = m1 q_zz' - m0 (q_xx + q_yy),   q_yz = m2 q_yz',   q_xz = m3 q_xz'.
 *
 * Scheme     1. q and its three derivatives, from the 4 x 4 x 4 coefficients around the place, along z first.
 *            2. Waveforms on the knots: a product of 6 (24 with slopes) x rank with rank x knots, where most of the time goes.
 *            3. Samples between the knots: a few samples to a knot share their weights with those of the next knot.
 *
 * Properties 1. A place sees no other: results depend neither on the batch nor on threads.
 *            2. Before the first knot and behind the last one waveforms are zero.
 *            3. Numbers are float32; places and times are float64.
 */
#ifndef VIP_SEISMOGRAMS_H
#define VIP_SEISMOGRAMS_H

#include <stdint.h>

enum { SEISMOGRAMS_OK, SEISMOGRAMS_NO_MEMORY };
enum { SEISMOGRAMS_LANES = 32 };

typedef struct {
    int32_t shape[3];         /* coefficients along the axes: nodes and one more at either end */
    int32_t rank, knots;
    int32_t stride;           /* of rows of the basis: a multiple of the lanes, zero behind the knots */
    int32_t per_knot, samples;
    const float *coefficient; /* (*shape, 6, rank) */
    const float *basis;       /* (rank, stride) */
} seismograms_table;

typedef struct {
    int64_t n;
    const double *place;       /* (n, 3), nodes from the first */
    const double *first;       /* (n), knot of the first sample */
    const double *gain;        /* (n) */
    const double *mix;         /* (n, 4); NULL: components are taken as they are */
    const double *mix_slope;   /* (n, 4, 3), 1/m */
    const double *per_m;       /* (3) nodes per m; NULL: no slopes */
    const double *first_slope; /* (n, 3), 1/m */
    const double *gain_slope;  /* (n, 3), 1/m */
    float *traces;             /* (n, 6, samples) */
    float *slopes;             /* (n, 6, samples, 3) */
} seismograms_batch;

int seismograms_lookup(const seismograms_table *table, const seismograms_batch *batch, int n_threads);
#endif
