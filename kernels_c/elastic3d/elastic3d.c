/* See elastic3d.h for the scheme. This file has what depends on neither precision nor instruction set, and the choice among the
 * versions that elastic3d_rows.h and elastic3d_sweep.h make. */
#include "elastic3d.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#include "denormals.h"
#include "simd.h"

static int thread_number(void)
{
#ifdef _OPENMP
    return omp_get_thread_num();
#else
    return 0;
#endif
}

static int thread_count(void)
{
#ifdef _OPENMP
    return omp_get_num_threads();
#else
    return 1;
#endif
}

static int round_up(int n, int unit) { return (n + unit - 1) / unit * unit; }

/* Nodes [0, low) and [high, length) of the third axis, whole groups, are where its layers reach. Memories of axis a: six, of `slab`
 * reals each, from `begin`; across the layers they are `wide` nodes wide. */
typedef struct {
    int low, high, length;
    int wide[3];
    int64_t slab[3], begin[3];
} layout;

/* First node of the layer where an axis ends, or of the point half a spacing before it; the number of nodes if there is none. */
static int last_layer(const elastic3d_plan *plan, int a)
{
    const int first = plan->nodes[a] - plan->high[a] - 1;
    return plan->high[a] == 0 ? plan->nodes[a] : first > plan->low[a] ? first : plan->low[a];
}

static layout lay_out(const elastic3d_plan *plan)
{
    const int64_t n0 = plan->nodes[0], n1 = plan->nodes[1];
    layout at = {.length = round_up(plan->nodes[2], ELASTIC3D_GROUP), .low = round_up(plan->low[2], ELASTIC3D_GROUP)};
    at.high = plan->high[2] ? last_layer(plan, 2) / ELASTIC3D_GROUP * ELASTIC3D_GROUP : at.length;
    if (at.high < at.low)
        at.high = at.low;
    for (int a = 0; a < 2; a++)
        at.wide[a] = plan->low[a] + plan->nodes[a] - last_layer(plan, a);
    at.wide[2] = at.low + at.length - at.high;
    at.slab[0] = at.wide[0] * n1 * at.length;
    at.slab[1] = n0 * at.wide[1] * at.length;
    at.slab[2] = n0 * n1 * at.wide[2];
    at.begin[1] = 6 * at.slab[0];
    at.begin[2] = at.begin[1] + 6 * at.slab[1];
    return at;
}

/* Place of node i in the slab of an axis, or -1. */
static int slab(const elastic3d_plan *plan, int a, int i)
{
    const int last = last_layer(plan, a);
    return i < plan->low[a] ? i : i >= last ? plan->low[a] + i - last : -1;
}

size_t elastic3d_memories(const elastic3d_plan *plan)
{
    const layout at = lay_out(plan);
    return (size_t)(at.begin[2] + 6 * at.slab[2]);
}

static void add_up(const elastic3d_taps *taps, const double *parts, int64_t count, double *traces)
{
    for (int64_t e = 0; e < count; e++)
        traces[taps->column[e]] += parts[e];
}

#define LANE_BYTES 16
#define REAL float
#define NAME(x) x##_float_baseline
#include "elastic3d_rows.h"
#include "elastic3d_sweep.h"
#define REAL double
#define NAME(x) x##_double_baseline
#include "elastic3d_rows.h"
#include "elastic3d_sweep.h"
#undef LANE_BYTES

#ifdef WITH_X86_LEVELS
#pragma GCC push_options
#pragma GCC target("arch=x86-64-v3")
#define LANE_BYTES 32
#define REAL float
#define NAME(x) x##_float_avx2
#include "elastic3d_rows.h"
#include "elastic3d_sweep.h"
#define REAL double
#define NAME(x) x##_double_avx2
#include "elastic3d_rows.h"
#include "elastic3d_sweep.h"
#undef LANE_BYTES
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("arch=x86-64-v4,prefer-vector-width=512")
#define LANE_BYTES 64
#define REAL float
#define NAME(x) x##_float_avx512
#include "elastic3d_rows.h"
#include "elastic3d_sweep.h"
#define REAL double
#define NAME(x) x##_double_avx512
#include "elastic3d_rows.h"
#include "elastic3d_sweep.h"
#undef LANE_BYTES
#pragma GCC pop_options
#endif

const char *elastic3d_simd_level(void) { return simd_level_name(); }

#define DEFINE(real)                                                                                                          \
    int elastic3d_advance_##real(const elastic3d_plan *plan, real *fields, real *memories, const elastic3d_run *run,          \
                                 int64_t first, int64_t count, int together, int tile, int threads)                           \
    {                                                                                                                         \
        return DISPATCH(advance, real, plan, fields, memories, run, first, count, together, tile, threads);                   \
    }                                                                                                                         \
    void elastic3d_strains_##real(const elastic3d_plan *plan, const real *fields, const elastic3d_box *box, float *strains,   \
                                  int threads)                                                                                \
    {                                                                                                                         \
        DISPATCH(strains, real, plan, fields, box, strains, threads);                                                         \
    }

DEFINE(float)
DEFINE(double)
