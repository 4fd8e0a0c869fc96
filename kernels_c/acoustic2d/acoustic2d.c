/* See acoustic2d.h for the scheme. This file has what depends on neither precision nor instruction set, and the choice among
 * the versions that acoustic2d_lanes.h makes. */
#include "acoustic2d.h"

#include <stdlib.h>
#include <string.h>

#include "denormals.h"
#include "simd.h"

#define HALO 4            /* rows of zeros around a wavefield: half of the highest order */
#define COLUMN_GROUP 16   /* columns are handled in groups: a multiple of all lanes */
#define ROW_GROUP 4       /* and rows: a multiple of all ROWS */
#define MARGIN 16         /* zeros before each row, and behind the one before */
#define STAGGERED_REACH 2 /* of a staggered first derivative, up to 4th order */
#define ALIGNMENT 64

enum { ADVANCE, RECORD, IMAGE };

static int round_up(int n, int unit) { return (n + unit - 1) / unit * unit; }

static int clamp(int x, int low, int high) { return x < low ? low : x > high ? high : x; }

/* The node of the model nearest to one with layers. */
static long model_node(const acoustic2d_plan *plan, int row, int column)
{
    return (long)clamp(row - plan->top, 0, plan->model_rows - 1) * plan->model_columns +
           clamp(column - plan->layer, 0, plan->model_columns - 1);
}

static void *allocate(size_t bytes) { return aligned_alloc(ALIGNMENT, (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT); }

static void *allocate_zeros(size_t bytes)
{
    void *memory = allocate(bytes);
    if (memory)
        memset(memory, 0, bytes);
    return memory;
}

/* Lanes k columns after and before p, and from the k-th of two vectors. */
#define AFTER(p, k) NEAR((p) + (k))
#define BEFORE(p, k) NEAR((p) - (k))
#define SHIFT(first, second, k) NAME(shift)(first, second, k)
#define ROWS 2

#define LANE_BYTES 16
#define REAL float
#define INTEGER int32_t
#define NAME(x) x##_float_baseline
#include "acoustic2d_lanes.h"
#define REAL double
#define INTEGER int64_t
#define NAME(x) x##_double_baseline
#include "acoustic2d_lanes.h"
#undef LANE_BYTES

#ifdef WITH_X86_LEVELS
#pragma GCC push_options
#pragma GCC target("arch=x86-64-v3")
#define LANE_BYTES 32
#define REAL float
#define INTEGER int32_t
#define NAME(x) x##_float_avx2
#include "acoustic2d_lanes.h"
#define REAL double
#define INTEGER int64_t
#define NAME(x) x##_double_avx2
#include "acoustic2d_lanes.h"
#undef LANE_BYTES
#pragma GCC pop_options

/* An unaligned load of a whole cache line costs two, a shuffle less; and 32 registers hold four rows. */
#undef AFTER
#undef BEFORE
#undef SHIFT
#undef ROWS
#define AFTER(p, k) SHIFT(AT(p), AT((p) + LANES), k)
#define BEFORE(p, k) SHIFT(AT((p) - LANES), AT(p), LANES - (k))
#define ROWS 4
#pragma GCC push_options
#pragma GCC target("arch=x86-64-v4,prefer-vector-width=512")
#define LANE_BYTES 64
#define REAL float
#define INTEGER int32_t
#define SHIFT(first, second, k) ((LANE)_mm512_alignr_epi32((__m512i)(second), (__m512i)(first), k))
#define NAME(x) x##_float_avx512
#include "acoustic2d_lanes.h"
#undef SHIFT
#define REAL double
#define INTEGER int64_t
#define SHIFT(first, second, k) ((LANE)_mm512_alignr_epi64((__m512i)(second), (__m512i)(first), k))
#define NAME(x) x##_double_avx512
#include "acoustic2d_lanes.h"
#undef LANE_BYTES
#pragma GCC pop_options
#endif

const char *acoustic2d_simd_level(void) { return simd_level_name(); }

/* Bytes of a state and of a field without halo; the same for all lanes. */
typedef struct {
    size_t state, field;
} sizes;

static sizes sizes_of(const acoustic2d_plan *plan, size_t real_size)
{
    if (real_size == sizeof(double)) {
        const layout_double_baseline at = lay_out_double_baseline(plan);
        return (sizes){state_size_double_baseline(&at) * real_size, (size_t)at.rows * at.stride * real_size};
    }
    const layout_float_baseline at = lay_out_float_baseline(plan);
    return (sizes){state_size_float_baseline(&at) * real_size, (size_t)at.rows * at.stride * real_size};
}

size_t acoustic2d_tape_size(const acoustic2d_plan *plan, size_t real_size, int every)
{
    return sizes_of(plan, real_size).state * ((plan->n_steps + every - 1) / every);
}

size_t acoustic2d_working_size(const acoustic2d_plan *plan, size_t real_size, int every)
{
    const sizes size = sizes_of(plan, real_size);
    return 2 * size.state + (every + 2) * size.field;
}

#define DEFINE(real)                                                                                                        \
    int acoustic2d_forward_##real(const acoustic2d_plan *plan, const double *velocity, const acoustic2d_points *sources,    \
                                  const real *wavelets, const acoustic2d_points *receivers, real *traces, int every,        \
                                  void *tape)                                                                               \
    {                                                                                                                       \
        return DISPATCH(forward, real, plan, velocity, sources, wavelets, receivers, traces, every, tape);                  \
    }                                                                                                                       \
    int acoustic2d_gradient_##real(const acoustic2d_plan *plan, const double *velocity, const acoustic2d_points *sources,   \
                                   const real *wavelets, const acoustic2d_points *receivers, const real *by_trace,          \
                                   int every, const void *tape, double *gradient)                                           \
    {                                                                                                                       \
        return DISPATCH(gradient, real, plan, velocity, sources, wavelets, receivers, by_trace, every, tape, gradient);     \
    }

DEFINE(float)
DEFINE(double)
