/* Elastic waves in three dimensions on a staggered grid: velocities and stresses that leap over each other in time.
 *
 * Equations:  rho dv_a/dt = sum_b d_b s_ab + f_a,      ds_ab/dt = lambda delta_ab sum_c d_c v_c + mu (d_a v_b + d_b v_a) - m_ab,
 *
 * f a density of force, m of moment rate, all at rest at t = 0. Scheme (Virieux 1986; Levander 1988; Graves 1996): stresses s_aa
 * lie on nodes, v_a half a spacing further along a, s_ab along a and b. Second order in time: stresses at n dt, velocities at
 * (n + 1/2) dt. In space order 4 or 8, with the coefficients of Taylor's series.
 *
 * Materials: buoyancy is the inverse of the arithmetic mean of density over two nodes, rigidity of s_ab the harmonic mean over four,
 * so zero where one of them is water (Moczo et al. 2002).
 *
 * Absorbing layers are convolutional PMLs (Komatitsch & Martin 2007): each derivative d gets a memory psi = keep psi + share d,
 * and d + psi takes its place. Memories live in slabs: that of an axis where its own layers are, with rows of code of their own.
 *
 * Free surface: the nodes where the third axis begins. There s_22 = 0, and d_2 v_2 on it follows from that. Above, velocities go on
 * as a parabola, so that stencils become those of 2nd order, and s_02, s_12, s_22 as a parabola that is zero on the surface; over
 * water v_2 is even and s_22 odd, which is exact and keeps the scheme symmetric.
 *
 * Assumptions: 1. Behind layers and sides that have none, all is zero: a rigid wall. 2. The caller checks stability.
 * 3. FTZ arithmetic: denormal numbers are zero.
 *
 * Order of work: planes of the first axis, one sweep for several time steps: step t + 1 follows `half` planes behind the stresses
 * of step t, which follow `half` planes behind its velocities, so fields of a few planes are read again while they are in cache.
 * Where planes are too large for that, a sweep is over a tile of their rows, and the next one over the tile beside it.
 * The arithmetic of a node never depends on that order, on the number of threads or on that of steps. */
#ifndef ELASTIC3D_H
#define ELASTIC3D_H

#include <stddef.h>
#include <stdint.h>

enum { ELASTIC3D_HALO = 4, ELASTIC3D_GROUP = 16, ELASTIC3D_FIELDS = 17, ELASTIC3D_GHOST_NODES = 3 };

/* Fields in the order of memory. LAMBDA, TWO_MU and MU are times dt, BUOYANCY too. */
enum { V0, V1, V2, S00, S11, S22, S01, S02, S12, B0, B1, B2, LAMBDA, TWO_MU, MU01, MU02, MU12 };

/* Nodes count those of layers. Rows of the third axis have `row` reals, of which the first of a field is node 0. */
typedef struct {
    int32_t nodes[3], low[3], high[3]; /* low, high: nodes in layers */
    int32_t half, free_surface;
    int64_t plane, row, field, origin; /* strides of axes 0 and 1, of fields; place of node (0, 0, 0) */
    const double *stencil[3];          /* half coefficients, over the spacing */
    const double *keep[3], *share[3];  /* of memories at nodes, then half a spacing after each: 2 nodes[a] numbers */
    const double *ghost;               /* velocities at HALO nodes above the surface, from GHOST_NODES below: [HALO][GHOST_NODES] */
    const double *stress_ghost;        /* stresses there: weights of s_22 at nodes 1 and 2, of s_02 or s_12 at 0 and 1: [HALO][4] */
} elastic3d_plan;

/* Sums of field values, or shares of source amplitudes, by the plane where they are: entries start[i] to start[i + 1] of plane i. */
typedef struct {
    int32_t columns; /* of the amplitudes or traces */
    const int64_t *start, *offset;
    const int32_t *field, *column;
    const double *weight;
} elastic3d_taps;

/* Nodes first + k every (k < count) along each axis, where strains are taken from stresses. */
typedef struct {
    int32_t first[3], count[3], every;
    const double *half_way; /* 2 HALO weights of the values at distances -HALO + 1/2 ... HALO - 1/2 */
    double dt;
} elastic3d_box;

/* Amplitudes and traces have a row for each time step of the run, from its first. */
typedef struct {
    elastic3d_taps forces, moments, velocities, stresses;
    const double *force_amplitudes, *moment_amplitudes;
    double *velocity_traces, *stress_traces; /* stresses after step n are in row n + 1 */
    int64_t n_steps; /* of the run */
} elastic3d_run;

/* Number of reals in the memories of the layers. */
size_t elastic3d_memories(const elastic3d_plan *plan);

/* Advances fields and memories from step `first` by `count` steps, `together` of them in one sweep over tiles of `tile` rows.
 * Returns 0, or 1 if there is too little memory. */
int elastic3d_advance_float(const elastic3d_plan *plan, float *fields, float *memories, const elastic3d_run *run, int64_t first,
                            int64_t count, int together, int tile, int threads);
int elastic3d_advance_double(const elastic3d_plan *plan, double *fields, double *memories, const elastic3d_run *run, int64_t first,
                             int64_t count, int together, int tile, int threads);

/* Strains of the fields as they are: [6: 00 11 22 01 02 12][count 0][count 1][count 2]. Water has their mean alone. */
void elastic3d_strains_float(const elastic3d_plan *plan, const float *fields, const elastic3d_box *box, float *strains, int threads);
void elastic3d_strains_double(const elastic3d_plan *plan, const double *fields, const elastic3d_box *box, float *strains,
                              int threads);

const char *elastic3d_simd_level(void);

#endif
