/* See edt.h for the schemes. This file has what does not depend on the lanes, and the distribution over threads. */
#include "edt.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "simd.h"

#define PI 3.141592653589793
#define INVERSE_ROOT_PI 0.5641895835477563
#define ROOT_HALF 0.7071067811865476
#define LN2 0.6931471805599453
#define ROOT_LN2 0.8325546111576977
#define LOG2_E 1.4426950408889634

#define TINY 0x1p-500                /* a sum of less may have lost terms that count */
#define MOST_EXPONENT 900.0          /* 2^-900 does not count beside a sum of 2^-500 */
#define ROUNDING 2e-16               /* of a Gaussian that walked n groups of nodes, over (n + 16)^2 */
#define NODES_A_PICK 64              /* longest grid: room for 500 s with 1,000 picks and steps of 0.01 s */
#define ALIGNMENT 64

/* Cycles with AVX-512, about; the proportions hold for other registers. */
#define COST_PAIR 32   /* of LANES particles */
#define COST_PICK 150  /* to start a Gaussian, to spread it and to take its moments */
#define COST_GROUP 8   /* to spread a Gaussian on LANES nodes, and take its moments there */
#define COST_NODES 3   /* to zero and to square LANES nodes */
#define LEAST_GROUPS 4 /* of a Gaussian */

typedef struct {
    double residual, variance, amplitude, half_width; /* residual: less where the grid begins */
    int64_t first_group, n_groups; /* of LANES nodes, where the Gaussian is not cut off */
} grid_pick;

typedef struct {
    double step;
    int64_t n_groups;
    double self;           /* sum of the self terms w^2 (2 v)^(-1/2) */
    double relative_error; /* of the integral from step and rounding, over two */
    double cut_off;        /* error of S from the tails that are cut off */
} grid_plan;

typedef struct {
    grid_pick *grid_picks;
    double *grid;
    void *direct_picks;
} workspace;

typedef struct {
    int lanes;
    size_t direct_pick_size;
    void (*evaluate)(const edt_batch *, int64_t event, int64_t first_particle, const workspace *);
} lane_kernel;

#define at(array, strides, of_particle, of_pick) ((array) + (strides).particle * (of_particle) + (strides).pick * (of_pick))

static int64_t capacity(int64_t n_picks) { return NODES_A_PICK * n_picks; }

/* What a particle's picks say about its grid. */
typedef struct {
    double first, last; /* where the first Gaussian begins and the last ends */
    double least_sigma, widths, weights, amplitudes; /* smallest, and sums */
    double self;
} extent;

/* Reads the picks of one particle; Gaussians are cut off at `reach` standard deviations sigma. */
static extent read_picks(const edt_batch *batch, int64_t event, int64_t particle, double reach, grid_pick *picks)
{
    const int64_t start = batch->start[event], n = batch->start[event + 1] - start;
    extent e = {.first = HUGE_VAL, .last = -HUGE_VAL, .least_sigma = HUGE_VAL};
    for (int64_t a = 0; a < n; a++) {
        const double weight = batch->weight[start + a];
        const double residual = *at(batch->residual, batch->residual_strides, particle, start + a);
        const double variance = *at(batch->variance, batch->variance_strides, particle, start + a);
        const double sigma = sqrt(variance), half_width = reach * sigma, amplitude = weight / sigma;
        picks[a] = (grid_pick){.residual = residual, .variance = variance, .amplitude = amplitude, .half_width = half_width};
        e.first = fmin(e.first, residual - half_width);
        e.last = fmax(e.last, residual + half_width);
        e.least_sigma = fmin(e.least_sigma, sigma);
        e.widths += 2 * half_width;
        e.weights += weight;
        e.amplitudes += amplitude;
        e.self += weight * amplitude * ROOT_HALF;
    }
    return e;
}

/* Lays out the grid of one particle. Returns whether there is one, and it is estimated to be faster than all pairs. */
static int plan_grid(const edt_batch *batch, int64_t event, int64_t particle, int lanes, const workspace *work, grid_plan *plan)
{
    const int64_t n = batch->start[event + 1] - batch->start[event];
    const double direct_cost = COST_PAIR * 0.5 * n * (n - 1) / lanes;
    if (batch->tolerance == 0 || direct_cost < (COST_PICK + LEAST_GROUPS * COST_GROUP) * n)
        return 0;
    const double digits = log(1 / batch->tolerance), step_exponent = digits + 3, cut_off_exponent = digits + 7;
    const extent e = read_picks(batch, event, particle, sqrt(cut_off_exponent), work->grid_picks);
    const double step = e.least_sigma * PI / sqrt(2 * step_exponent);
    const double nodes = (e.last - e.first) / step + 2 * lanes, groups = e.widths / (step * lanes) + 1.5 * n;
    if (nodes > capacity(n) || COST_PICK * n + COST_GROUP * groups + COST_NODES * nodes / lanes > direct_cost)
        return 0;

    int64_t most_groups = 0;
    for (int64_t a = 0; a < n; a++) {
        grid_pick *p = work->grid_picks + a;
        p->residual -= e.first;
        p->first_group = (int64_t)fmax(0, (p->residual - p->half_width) / (step * lanes));
        p->n_groups = (int64_t)((p->residual + p->half_width) / (step * lanes)) + 1 - p->first_group;
        most_groups = p->n_groups > most_groups ? p->n_groups : most_groups;
    }
    plan->step = step;
    plan->n_groups = (int64_t)(nodes / lanes) + 1;
    plan->self = e.self;
    plan->relative_error = exp(-step_exponent) + ROUNDING * (most_groups + 16.0) * (most_groups + 16.0);
    plan->cut_off = e.weights * e.amplitudes * exp(-cut_off_exponent);
    return 1;
}

#ifdef WITH_X86
#include <immintrin.h>
#endif

#define LANE_BYTES 16
#define NAME(x) x##_baseline
#ifdef WITH_X86
#define GUESS(x) ((LANE)_mm_cvtps_pd(_mm_rsqrt_ps(_mm_cvtpd_ps((__m128d)(x)))))
#define SMALLER(x, y) ((LANE)_mm_min_pd((__m128d)(x), (__m128d)(y)))
#else
#define GUESS(x) ((LANE){1 / sqrtf((float)(x)[0]), 1 / sqrtf((float)(x)[1])})
#define SMALLER(x, y) ((LANE){fmin((x)[0], (y)[0]), fmin((x)[1], (y)[1])})
#endif
#include "edt_lanes.h"

#ifdef WITH_X86_LEVELS
#pragma GCC push_options
#pragma GCC target("arch=x86-64-v3")
#define LANE_BYTES 32
#define NAME(x) x##_avx2
#define GUESS(x) ((LANE)_mm256_cvtps_pd(_mm_rsqrt_ps(_mm256_cvtpd_ps((__m256d)(x)))))
#define SMALLER(x, y) ((LANE)_mm256_min_pd((__m256d)(x), (__m256d)(y)))
#include "edt_lanes.h"
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("arch=x86-64-v4,prefer-vector-width=512")
#define LANE_BYTES 64
#define NAME(x) x##_avx512
#define GUESS(x) ((LANE)_mm512_rsqrt14_pd((__m512d)(x)))
#define SMALLER(x, y) ((LANE)_mm512_min_pd((__m512d)(x), (__m512d)(y)))
#include "edt_lanes.h"
#pragma GCC pop_options
#endif

const char *edt_simd_level(void) { return simd_level_name(); }

static const lane_kernel *widest_kernel(void)
{
#ifdef WITH_X86_LEVELS
    static const lane_kernel *kernels[] = {&kernel_baseline, &kernel_avx2, &kernel_avx512};
    return kernels[simd_level()];
#else
    return &kernel_baseline;
#endif
}

static void *allocate(size_t bytes) { return aligned_alloc(ALIGNMENT, (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT); }

/* For the event of most picks. */
static workspace workspace_open(const edt_batch *batch, const lane_kernel *kernel)
{
    int64_t most = 0;
    for (int64_t e = 0; e < batch->n_events; e++) {
        const int64_t n = batch->start[e + 1] - batch->start[e];
        most = n > most ? n : most;
    }
    return (workspace){allocate(sizeof(grid_pick) * most), allocate(sizeof(double) * (capacity(most) + 2 * kernel->lanes)),
                       allocate(kernel->direct_pick_size * most)};
}

static void workspace_close(workspace *work)
{
    free(work->grid_picks);
    free(work->grid);
    free(work->direct_picks);
}

int edt_evaluate(const edt_batch *batch, int n_threads)
{
    const lane_kernel *kernel = widest_kernel();
    const int64_t n_blocks = (batch->n_particles + kernel->lanes - 1) / kernel->lanes;
    int code = EDT_OK;
#pragma omp parallel num_threads(n_threads) reduction(max : code)
    {
        workspace work = workspace_open(batch, kernel);
        const int ready = work.grid_picks && work.grid && work.direct_picks;
        code = ready ? EDT_OK : EDT_NO_MEMORY;
#pragma omp for schedule(dynamic)
        for (int64_t task = 0; task < batch->n_events * n_blocks; task++)
            if (ready)
                kernel->evaluate(batch, task / n_blocks, task % n_blocks * kernel->lanes, &work);
        workspace_close(&work);
    }
    return code;
}
