/* First-arrival travel times on a 2-D grid, and the exact gradient of a least-squares misfit, for many models at once.
 *
 * Equation   |grad T| = s, T(source) = 0, s the slowness.
 *
 * Scheme     Every node i looks at the eight triangles that it forms with an axis neighbour j and the diagonal
 *            neighbour k beside it. Inside a triangle T is linear along the edge jk, so that Fermat's principle gives
 *                T_i = T_j - s_i e_ij + h sqrt(s^2 - p^2),   p = clamp((T_j - T_k)/b + s f_ijk, 0, s b/sqrt(h^2 + b^2)),
 *            where h is the distance from i to the edge, b the length of the edge and s = s_i/2 + s_j/4 + s_k/4 the mean
 *            slowness of the triangle; the smallest of the eight wins (Vidale 1988; Kimmel & Sethian 1998).
 *            e and f are the truncation errors of the two differences for the geometric distance r from the source,
 *                e_ij = h dr/dn_i - (r_i - r_j),   f_ijk = dr/dt_i - (r_j - r_k)/b   (where r_j < r_i, else 0),
 *            so that a constant slowness gives r s to rounding: the additive form of the factored eikonal equation
 *            (Fomel, Luo & Zhao 2009; Luo & Qian 2012).
 *
 * Properties 1. The update never decreases when a neighbour's time increases and it always exceeds the times it was
 *               computed from: the solution is unique, does not depend on the order of the updates, and the scheme's
 *               Jacobian is triangular in the order of T.
 *            2. Nodes are visited in the order of their distance from the source, and again when a neighbour improved
 *               (label correcting), until nothing changes to the last bit.
 *            3. Nodes later than the last receiver cannot matter and are not propagated.
 *            4. The lanes of a SIMD register are models. A lane never reads another lane, so a model's result does not
 *               depend on its batch.
 *            5. The gradient pushes each receiver's sensitivity back through the winning triangles: the transpose of the
 *               linearised scheme, so it is exact for the discrete travel times wherever these are differentiable.
 */
#ifndef VIP_EIKONAL2D_H
#define VIP_EIKONAL2D_H

#include <stdint.h>

/* What stays the same for all models: the grid and, per source, the order of the nodes and the corrections e and f.
 * Nodes are counted on the refined grid with a border of one node on every side: index = row * stride + column. */
typedef struct {
    int32_t velocity_rows, velocity_columns; /* nodes that carry velocity */
    int32_t refinement;                      /* grid cells per velocity cell */
    int32_t stride, n_nodes;                 /* of the bordered refined grid */
    const double *row_spacing;               /* (rows with border) distance between columns on each row, km */
    double column_spacing;                   /* distance between rows, km */

    int32_t n_sources, n_pairs;
    const int32_t *order_start;  /* (n_sources + 1) */
    const int32_t *order;        /* nodes of each source by increasing distance */
    const int32_t *rank;         /* (n_sources, n_nodes) place of a node in order; the number of places if it is fixed */
    const void *corrections;     /* (n_sources, n_nodes, 12) REAL: 4 of e, 8 of f times edge length */
    const int32_t *fixed_start;  /* (n_sources + 1) */
    const int32_t *fixed_node;   /* nodes around each source whose time is distance times mean slowness */
    const double *fixed_distance;
    const int32_t *source_corner; /* (n_sources, 4) nodes of the cell that holds the source */
    const double *source_weight;  /* (n_sources, 4) bilinear weights */

    const int32_t *pair_start;   /* (n_sources + 1): each source's pairs are contiguous */
    const int32_t *pair_corner;  /* (n_pairs, 4) nodes of the cell that holds the receiver */
    const double *pair_weight;   /* (n_pairs, 4): times of the corners to the receiver's time */
    const double *pair_direct;   /* (n_pairs): distance where source and receiver are close neighbours, else 0 */
} eikonal2d_plan;

enum { EIKONAL2D_OK = 0, EIKONAL2D_NO_MEMORY = 1, EIKONAL2D_NO_CONVERGENCE = 2 };

/* What is computed from velocity (n_models, velocity nodes); what is not wanted, except for the times, is NULL. Either a
 * gradient or rays can be asked for. */
typedef struct {
    double *times;          /* (n_models, n_pairs) */
    const double *observed; /* (n_pairs) */
    const double *weight;   /* (n_pairs) */
    double *gradient;       /* (n_models, velocity nodes) of sum_p weight_p (time_p - observed_p)^2 / 2 */
    double *rays;           /* (n_models, n_pairs, velocity nodes): gradient of each time */
} eikonal2d_task;

int eikonal2d_solve_float(const eikonal2d_plan *plan, int n_models, const double *velocity, eikonal2d_task task,
                          int n_threads);
int eikonal2d_solve_double(const eikonal2d_plan *plan, int n_models, const double *velocity, eikonal2d_task task,
                           int n_threads);

/* The time field of one source for one model, (n_nodes): for pictures and rays. */
int eikonal2d_field(const eikonal2d_plan *plan, int source, const double *velocity, double *field);

/* Name of the instruction set in use on this machine. */
const char *eikonal2d_simd_level(void);
#endif
