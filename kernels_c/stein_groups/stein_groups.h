/* The direction of Stein variational gradient descent with one kernel for each group of entries: many small problems in one.
 *
 * Equation   With particles x_i and gradients g_i, i = 1 to n, and k the entries of a group,
 *                s_ij = sum_k (x_ik - x_jk)^2,   h^2 = w^2 median_{i<j}(s_ij) / (2 log n),   K_ij = exp(-s_ij / (2 h^2)),
 *                phi_ik = 1/n sum_j K_ij [g_jk + (x_ik - x_jk) / h^2]
 *            (Liu & Wang 2016; Zhang & Curtis 2024, eqs. 16-17), w the widening. Where the median is zero, or n is one, h = w.
 *
 * Scheme     The entries of a group, which lie far apart, are copied next to each other. Pairs i < j are visited once: their
 *            distances are kept, and the kernel of a row acts on both i and j as soon as it is there. The median is selected
 *            from them (after Floyd & Rivest 1975): a sorted sample says where, and whoever is on the other side of it leaves,
 *            until few are left to be sorted.
 *
 * Properties 1. The median is exact: with an even number of pairs, half the sum of the two in the middle.
 *            2. A group sees no other: results depend neither on the other groups nor on threads.
 *            3. Differences are taken before they are summed: the repulsive parts of all particles sum to zero but for rounding,
 *               and particles far from the origin lose no more digits than they have lost in themselves.
 *            4. The kernel is good to 1e-15 relative; one of less than 2^-1000 counts as that.
 *            5. Memory is n^2 numbers a thread, and some n for each entry of the largest group.
 */
#ifndef VIP_STEIN_GROUPS_H
#define VIP_STEIN_GROUPS_H

#include <stddef.h>
#include <stdint.h>

enum { STEIN_OK = 0, STEIN_NO_MEMORY = 1 };

/* Distances in memory, in doubles, from one particle and from one entry to the next. */
typedef struct {
    ptrdiff_t particle, entry;
} stein_strides;

typedef struct {
    int64_t n_particles, n_groups;
    const int64_t *start; /* (n_groups + 1): group e has the members start[e] to start[e + 1] */
    const int64_t *entry; /* of each member */
    double widening;
    const double *particles, *gradient;
    stein_strides particles_strides, gradient_strides;

    double *direction;
    stein_strides direction_strides;
} stein_groups;

int stein_direction(const stein_groups *groups, int n_threads);
#endif
