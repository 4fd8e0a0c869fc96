/* Travel times from tables, and their gradients by the hypocentre, for many particles and picks at once.
 *
 * Equation   A table has the times from one place, a station, to the nodes of a grid. With D the straight distance to the
 *            station, T = D m, and m, the mean slowness on the way, is smooth also near the station, where T is not: it is
 *            what is interpolated, by a cubic B-spline along each axis,
 *                m(u) = sum_i c_i B(u - i),   dT/dx = m dD/dx + D dm/dx.
 *            Where velocity depends on depth alone, tables are functions of horizontal distance and depth.
 *
 * Properties 1. Times and gradients are continuous, as gradient methods need; at the nodes times are the table's.
 *            2. At the station itself, where there is no gradient, it is zero.
 *            3. A lane of a SIMD register is a particle and sees no other: results depend neither on the batch nor on threads.
 *            4. Coefficients are float32, whose rounding is 1e-7 of a time; sums are float64.
 */
#ifndef VIP_TIMETABLES_H
#define VIP_TIMETABLES_H

#include <stdint.h>

typedef struct {
    int32_t n_axes;             /* 2: distance, depth; 3: x, y, depth */
    int32_t shape[3];           /* nodes along the axes */
    double origin[3];           /* of the first node, km */
    double per_km[3];           /* nodes per km */
    const float *coefficient;   /* (n_tables, *shape + 3): one more before the first node, two behind the last */
    const double *place;        /* (n_tables, 3): x, y, depth of the stations, km */
} timetables;

typedef struct {
    int64_t n_picks, n_particles;
    const int32_t *event, *table; /* (n_picks) */
    const double *hypocentre;     /* (n_events, 3, n_particles): x, y, depth, km */
    double *time;                 /* (n_picks, n_particles), s */
    double *gradient;             /* (3, n_picks, n_particles), s/km */
} timetables_batch;

/* The first pick with a hypocentre outside its table, or -1. */
int64_t timetables_evaluate(const timetables *tables, const timetables_batch *batch, int n_threads);
#endif
