/* See timetables.h. Loops over lanes are written so that the compiler turns each into SIMD code. */
#include "timetables.h"

#include <math.h>
#include <string.h>

#include "simd.h"

#define LANES 16

/* Of LANES particles: places relative to the station, straight distances, and where they are in the table. */
typedef struct {
    double x[LANES], y[LANES], depth[LANES];
    double horizontal[LANES], distance[LANES];
    int32_t corner[LANES];                               /* first of the coefficients around each */
    double weight[3][4][LANES], slope[3][4][LANES];      /* of these along each axis, and their derivatives by km */
} lanes;

/* Along an axis: B-splines at the fraction f of the way from a node to the next, for it, the one before and two behind. */
static inline void splines(double f, double per_km, int l, double (*weight)[LANES], double (*slope)[LANES])
{
    const double g = 1 - f, f2 = f * f, g2 = g * g;
    weight[0][l] = g2 * g / 6;
    weight[1][l] = (4 - 3 * f2 * (1 + g)) / 6;
    weight[2][l] = (4 - 3 * g2 * (1 + f)) / 6;
    weight[3][l] = f2 * f / 6;
    slope[0][l] = -per_km * g2 / 2;
    slope[1][l] = per_km * f * (1.5 * f - 2);
    slope[2][l] = per_km * g * (2 - 1.5 * g);
    slope[3][l] = per_km * f2 / 2;
}

/* Where LANES hypocentres are in the table of a station; whether all are inside. */
MULTIVERSION
static int locate(const timetables *t, const double *station, const double *x, const double *y, const double *depth, lanes *p)
{
    int outside = 0;
    for (int l = 0; l < LANES; l++) {
        p->x[l] = x[l] - station[0], p->y[l] = y[l] - station[1], p->depth[l] = depth[l] - station[2];
        const double across = p->x[l] * p->x[l] + p->y[l] * p->y[l];
        p->horizontal[l] = sqrt(across);
        p->distance[l] = sqrt(across + p->depth[l] * p->depth[l]);
        p->corner[l] = 0;
    }
    for (int axis = 0; axis < t->n_axes; axis++) {
        const double *along = axis == t->n_axes - 1 ? depth : t->n_axes == 2 ? p->horizontal : axis == 0 ? x : y;
        const double origin = t->origin[axis], per_km = t->per_km[axis];
        const int32_t nodes = t->shape[axis];
        for (int l = 0; l < LANES; l++) {
            double u = (along[l] - origin) * per_km;
            const int inside = u >= 0 && u <= nodes - 1; /* false for NaN */
            outside |= !inside;
            u = inside ? u : 0;
            int32_t cell = (int32_t)u;
            cell = cell < nodes - 2 ? cell : nodes - 2;
            p->corner[l] = p->corner[l] * (nodes + 3) + cell;
            splines(u - cell, per_km, l, p->weight[axis], p->slope[axis]);
        }
    }
    return !outside;
}

/* Mean slowness m[0] and its derivatives m[1], m[2] along distance and depth. */
MULTIVERSION
static void mean_slowness_2d(const timetables *t, const float *c, const lanes *p, double (*m)[LANES])
{
    memset(m, 0, 3 * sizeof *m);
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 4; k++) {
            const float *at = c + i * (t->shape[1] + 3) + k;
            for (int l = 0; l < LANES; l++) {
                const double value = at[p->corner[l]];
                m[0][l] += value * p->weight[0][i][l] * p->weight[1][k][l];
                m[1][l] += value * p->slope[0][i][l] * p->weight[1][k][l];
                m[2][l] += value * p->weight[0][i][l] * p->slope[1][k][l];
            }
        }
}

/* Mean slowness m[0] and its derivatives m[1], m[2], m[3] along x, y and depth. */
MULTIVERSION
static void mean_slowness_3d(const timetables *t, const float *c, const lanes *p, double (*m)[LANES])
{
    const int64_t row = t->shape[2] + 3, plane = (t->shape[1] + 3) * row;
    memset(m, 0, 4 * sizeof *m);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) {
            const float *at = c + i * plane + j * row;
            for (int l = 0; l < LANES; l++) {
                const float *line = at + p->corner[l];
                double value = 0, slope = 0;
                for (int k = 0; k < 4; k++) {
                    value += line[k] * p->weight[2][k][l];
                    slope += line[k] * p->slope[2][k][l];
                }
                m[0][l] += value * p->weight[0][i][l] * p->weight[1][j][l];
                m[1][l] += value * p->slope[0][i][l] * p->weight[1][j][l];
                m[2][l] += value * p->weight[0][i][l] * p->slope[1][j][l];
                m[3][l] += slope * p->weight[0][i][l] * p->weight[1][j][l];
            }
        }
}

/* T = D m and its gradient. */
MULTIVERSION
static void times_2d(const lanes *p, double (*m)[LANES], double (*result)[LANES])
{
    for (int l = 0; l < LANES; l++) {
        const double D = p->distance[l], r = p->horizontal[l];
        const double m_D = D > 0 ? m[0][l] / D : 0, D_r = r > 0 ? D * m[1][l] / r : 0;
        result[0][l] = D * m[0][l];
        result[1][l] = p->x[l] * (m_D + D_r);
        result[2][l] = p->y[l] * (m_D + D_r);
        result[3][l] = p->depth[l] * m_D + D * m[2][l];
    }
}

MULTIVERSION
static void times_3d(const lanes *p, double (*m)[LANES], double (*result)[LANES])
{
    for (int l = 0; l < LANES; l++) {
        const double D = p->distance[l], m_D = D > 0 ? m[0][l] / D : 0;
        result[0][l] = D * m[0][l];
        result[1][l] = p->x[l] * m_D + D * m[1][l];
        result[2][l] = p->y[l] * m_D + D * m[2][l];
        result[3][l] = p->depth[l] * m_D + D * m[3][l];
    }
}

/* Times and gradients of one pick; whether all its hypocentres are inside the table. */
static int evaluate_pick(const timetables *t, const timetables_batch *b, int64_t pick)
{
    const int64_t n = b->n_particles;
    int64_t size = 1;
    for (int axis = 0; axis < t->n_axes; axis++)
        size *= t->shape[axis] + 3;
    const double *hypocentre = b->hypocentre + 3 * n * b->event[pick];
    const double *station = t->place + 3 * b->table[pick];
    const float *c = t->coefficient + size * b->table[pick];
    int inside = 1;
    for (int64_t first = 0; first < n; first += LANES) {
        const int64_t count = n - first < LANES ? n - first : LANES;
        double place[3][LANES], m[4][LANES], result[4][LANES];
        lanes p;
        for (int axis = 0; axis < 3; axis++)
            for (int l = 0; l < LANES; l++) /* lanes to spare repeat the last particle */
                place[axis][l] = hypocentre[axis * n + first + (l < count ? l : count - 1)];
        inside &= locate(t, station, place[0], place[1], place[2], &p);
        if (t->n_axes == 2) {
            mean_slowness_2d(t, c, &p, m);
            times_2d(&p, m, result);
        } else {
            mean_slowness_3d(t, c, &p, m);
            times_3d(&p, m, result);
        }
        memcpy(b->time + pick * n + first, result[0], count * sizeof(double));
        for (int axis = 0; axis < 3; axis++)
            memcpy(b->gradient + (axis * b->n_picks + pick) * n + first, result[1 + axis], count * sizeof(double));
    }
    return inside;
}

int64_t timetables_evaluate(const timetables *tables, const timetables_batch *batch, int n_threads)
{
    int64_t outside = batch->n_picks;
#pragma omp parallel for schedule(static) num_threads(n_threads) reduction(min : outside)
    for (int64_t pick = 0; pick < batch->n_picks; pick++)
        if (!evaluate_pick(tables, batch, pick) && pick < outside)
            outside = pick;
    return outside < batch->n_picks ? outside : -1;
}
