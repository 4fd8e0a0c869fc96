/* First-arrival travel times on a 3-D grid, Cartesian or spherical.
 *
 * Equation   |grad T| = s, T(source) = 0, s the slowness. With r the straight distance from the source, s0 the slowness
 *            there and T = s0 r + u, what is singular at the source is known and u is sought: the additive form of the
 *            factored eikonal equation (Fomel, Luo & Zhao 2009; Luo & Qian 2012).
 *
 * Scheme     h is the distance of neighbours along an axis, g the derivative of s0 r along it times h, j and jj the first
 *            and second neighbour on one side. Upwind differences (Rouy & Tourin 1992; Sethian 1996) give
 *                sum over axes of max(u - a, 0)^2 / h^2 = s^2,   a = u_j - (g + b),
 *            with -g where j follows the node. The sum has one, two or three terms. Two passes:
 *            First    b = 0, j is the side with the smaller a: first order. Nodes are taken in bands of time, and again
 *                     when a neighbour improved, until nothing changes (label correcting).
 *            Second   b = min(u - 2 u_j + u_jj, p) / 2, p = u - u_j + g, and the sides j are those of the first pass and
 *                     stay: second order, by deferred correction. Where a ray passes a jump of slowness this is the
 *                     trapezoidal rule, that is, an interface midway between nodes, also for a head wave: its p
 *                     comes from a neighbour j with none, hence the limit.
 *
 * Properties 1. The first update never decreases when a neighbour's time increases, so that its solution does not depend on
 *               the order of the updates. What improves by less than 1e-12 of the mean time between nodes is not passed on.
 *            2. s0 r is not quite causal: its truncation error lets a node depend on a slightly later one. Cycles need
 *               an error above s, so in the first pass s is raised to that error: only nodes a few steps from
 *               the source and much faster than it are affected, and only in the choice of j and in b.
 *            3. The second pass uses only neighbours that the first found earlier, so that it is a recursion in the
 *               order of the first pass's times: one visit each. An axis along which a later neighbour took part keeps
 *               its p.
 *            4. A constant slowness gives r s to rounding: u = 0 solves both passes.
 *            5. On the fixed nodes, nearer to the source than twice the largest h along an axis, rays are straight.
 *            6. An axis of a single node takes no part: a 2-D problem is a grid with one.
 *            7. One thread solves a source, so threads do not change a result.
 */
#ifndef VIP_EIKONAL3D_H
#define VIP_EIKONAL3D_H

#include <stdint.h>

/* The metric: squared inverse distances between neighbours, 1 / km^2. */
typedef struct {
    int32_t shape[3];       /* nodes along x, y, z; memory order is C's */
    double spacing[3];      /* smallest distance between nodes along each axis, km */
    double weight_x;
    const double *weight_y; /* (x) */
    const double *weight_z; /* (x, y) */
} eikonal3d_grid;

/* One source. The tables give r^2 = X0 + X1 (Y0 + Y1 Z0), and half its derivatives along the axes times the spacing:
 * X2 + X3 (Y0 + Y1 Z0), X1 (Y2 + Y3 Z0), X1 Y1 Z1. */
typedef struct {
    double slowness;         /* at the source, s/km */
    const double *along_x;   /* (x, 4) */
    const double *along_y;   /* (y, 4) */
    const double *along_z;   /* (2, z) */
    int32_t first_fixed[3];  /* box of the fixed nodes */
    int32_t shape_fixed[3];
    const double *time_fixed; /* (box), s */
} eikonal3d_source;

enum { EIKONAL3D_OK = 0, EIKONAL3D_NO_MEMORY = 1 };

/* Times (n_sources, x, y, z) in s, or T / r in s/km if `factored`, of velocity (x, y, z) in km/s. */
int eikonal3d_solve(const eikonal3d_grid *grid, const double *velocity, int n_sources, const eikonal3d_source *sources,
                    double *times, int factored, int n_threads);

/* Name of the instruction set in use on this machine. */
const char *eikonal3d_simd_level(void);
#endif
