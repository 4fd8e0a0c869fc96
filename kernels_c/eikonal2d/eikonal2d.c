/* See eikonal2d.h for the scheme. This file has what does not depend on the lanes, and the distribution over threads. */
#include "eikonal2d.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "simd.h"

#define NEVER 1e30      /* later than any time: the slowest velocity allowed needs 1e12 s for 10^6 km */
#define SOURCE_GROUPS 8 /* partial sums of the gradient: fixed, so that the result does not depend on the threads */

/* The triangles 0 to 7: left (up, down), right (up, down), up (left, right), down (left, right). */
static const int axis_row[8] = {0, 0, 0, 0, -1, -1, 1, 1}, axis_column[8] = {-1, -1, 1, 1, 0, 0, 0, 0};
static const int diagonal_row[8] = {-1, 1, -1, 1, -1, -1, 1, 1}, diagonal_column[8] = {-1, -1, 1, 1, -1, 1, -1, 1};
static const int neighbour_row[8] = {0, 0, -1, 1, -1, -1, 1, 1}, neighbour_column[8] = {-1, 1, 0, 0, -1, 1, -1, 1};

/* Of the triangles beside (x) and above or below (y) a node, on one row: squared distance to the edge, its squared ratio to
 * the edge's length, and the largest p b / s, where the ray runs along the diagonal. */
typedef struct {
    double x2, x_aspect2, x_steepest, y2, y_aspect2, y_steepest;
} row_geometry;

/* A part of the bordered refined grid, its last row and column included. */
typedef struct {
    int first_row, last_row, first_column, last_column;
} extent;

typedef struct {
    void *time, *sensitivity, *winner;
    uint64_t *dirty;
} workspace;

typedef struct {
    int lanes;
    size_t real_size;
    void (*load)(const eikonal2d_plan *, int, const double *, void *);
    int (*solve_source)(const eikonal2d_plan *, const row_geometry *, int, int, const void *, const eikonal2d_task *, void *,
                        workspace *);
    void (*unload)(const eikonal2d_plan *, int, const void *, const void *, int, extent, double *,
                   long);
} lane_kernel;

/* The set of places (nodes in the order of the walk) still to visit, a bit each. Places are taken in windows of 64: a window
 * is visited again until it is clean before the next begins, so that no unfinished value spreads far. */
typedef struct {
    uint64_t *dirty;
    int places, n_windows, window, lowest_behind; /* lowest_behind: window to return to, n_windows if none */
    int window_is_new;
} wavefront;

static wavefront wavefront_open(uint64_t *dirty, int places)
{
    const int n_windows = places / 64 + 1;
    memset(dirty, 0, sizeof(uint64_t) * n_windows);
    return (wavefront){dirty, places, n_windows, 0, n_windows, 1};
}

/* Marks outside [0, places) are those of fixed nodes, which are never visited. */
static inline void wavefront_mark(wavefront *front, int place)
{
    if ((unsigned)place >= (unsigned)front->places)
        return;
    const int window = place / 64;
    front->dirty[window] |= 1ull << (place % 64);
    if (window < front->window && window < front->lowest_behind)
        front->lowest_behind = window;
}

static inline int wavefront_next(wavefront *front)
{
    while (!front->dirty[front->window]) {
        if (front->lowest_behind < front->window)
            front->window = front->lowest_behind;
        else if (++front->window == front->n_windows)
            return -1;
        front->lowest_behind = front->n_windows;
        front->window_is_new = 1;
    }
    const uint64_t bits = front->dirty[front->window];
    front->dirty[front->window] = bits & (bits - 1);
    return 64 * front->window + __builtin_ctzll(bits);
}

static void mark_neighbours(wavefront *front, const int32_t *rank, int node, int stride, int neighbours)
{
    for (; neighbours; neighbours &= neighbours - 1) {
        const int q = __builtin_ctz(neighbours);
        wavefront_mark(front, rank[node + neighbour_row[q] * stride + neighbour_column[q]]);
    }
}

/* The place of the farthest receiver's cell: until the wave has passed it, no limit can be set. */
static int last_corner_place(const eikonal2d_plan *plan, int source, const int32_t *rank, int places)
{
    int last = 0;
    for (int c = 4 * plan->pair_start[source]; c < 4 * plan->pair_start[source + 1]; c++) {
        const int place = rank[plan->pair_corner[c]];
        if (plan->pair_direct[c / 4] == 0 && place < places && place > last)
            last = place;
    }
    return last;
}

/* The four velocity nodes around a node of the bordered refined grid; the border repeats the grid's edge. */
typedef struct {
    long node[4];
    double weight[4];
} bilinear;

static int clamp(int x, int low, int high) { return x < low ? low : x > high ? high : x; }

static void extent_include(extent *part, int node, int stride)
{
    const int row = node / stride, column = node - row * stride;
    part->first_row = row < part->first_row ? row : part->first_row;
    part->last_row = row > part->last_row ? row : part->last_row;
    part->first_column = column < part->first_column ? column : part->first_column;
    part->last_column = column > part->last_column ? column : part->last_column;
}

static extent nodes_extent(const int32_t *node, int n, int stride)
{
    const int row = node[0] / stride, column = node[0] % stride;
    extent part = {row, row, column, column};
    for (int i = 1; i < n; i++)
        extent_include(&part, node[i], stride);
    return part;
}

static extent whole_grid(const eikonal2d_plan *plan)
{
    return (extent){0, plan->n_nodes / plan->stride - 1, 0, plan->stride - 1};
}

/* The part and its neighbours, as far as the grid goes. */
static extent extent_wider(extent part, const eikonal2d_plan *plan)
{
    const extent all = whole_grid(plan);
    return (extent){clamp(part.first_row - 1, 0, all.last_row), clamp(part.last_row + 1, 0, all.last_row),
                    clamp(part.first_column - 1, 0, all.last_column), clamp(part.last_column + 1, 0, all.last_column)};
}

static bilinear refined_node(const eikonal2d_plan *plan, int row, int column)
{
    const int f = plan->refinement, nr = plan->velocity_rows, nc = plan->velocity_columns;
    const int y = clamp(row - 1, 0, (nr - 1) * f), x = clamp(column - 1, 0, (nc - 1) * f);
    const int r = clamp(y / f, 0, nr - 2), c = clamp(x / f, 0, nc - 2);
    const double v = (double)(y - r * f) / f, u = (double)(x - c * f) / f;
    const long first = (long)r * nc + c;
    return (bilinear){{first, first + 1, first + nc, first + nc + 1},
                      {(1 - v) * (1 - u), (1 - v) * u, v * (1 - u), v * u}};
}

#define REAL float
#define INTEGER int32_t
#define SQRT sqrtf
#define LANES 16
#define NAME(x) x##_float16
#include "eikonal2d_lanes.h"

#define REAL float
#define INTEGER int32_t
#define SQRT sqrtf
#define LANES 8
#define NAME(x) x##_float8
#include "eikonal2d_lanes.h"

#define REAL double
#define INTEGER int64_t
#define SQRT sqrt
#define LANES 8
#define NAME(x) x##_double8
#include "eikonal2d_lanes.h"

static row_geometry *row_geometries(const eikonal2d_plan *plan)
{
    const int n_rows = plan->n_nodes / plan->stride;
    row_geometry *rows = malloc(sizeof(row_geometry) * n_rows);
    for (int r = 0; rows && r < n_rows; r++) {
        const double x = plan->row_spacing[r], y = plan->column_spacing, diagonal = sqrt(x * x + y * y);
        rows[r] = (row_geometry){x * x, x * x / (y * y), y * y / diagonal, y * y, y * y / (x * x), x * x / diagonal};
    }
    return rows;
}

static size_t field_size(const eikonal2d_plan *plan, const lane_kernel *kernel)
{
    return (size_t)plan->n_nodes * kernel->lanes * kernel->real_size;
}

static workspace workspace_open(const eikonal2d_plan *plan, const lane_kernel *kernel)
{
    const size_t size = field_size(plan, kernel); /* the winners are integers of the same size */
    return (workspace){aligned_alloc(64, size), aligned_alloc(64, size), aligned_alloc(64, size),
                       malloc(sizeof(uint64_t) * (plan->n_nodes / 64 + 1))};
}

static void workspace_close(workspace *work)
{
    free(work->time);
    free(work->sensitivity);
    free(work->winner);
    free(work->dirty);
}

/* Models first to first + n of the batch, in one block of lanes. */
typedef struct {
    const lane_kernel *kernel;
    int first, n;
    char *slowness, *sums; /* sums: SOURCE_GROUPS partial gradients by slowness, NULL if only times are wanted */
    eikonal2d_task task;   /* pointers to the results of its first model */
} block;

/* All sources of one group, in their order, for one block. */
static int solve_group(const eikonal2d_plan *plan, const row_geometry *rows, const block *b, int group)
{
    const size_t size = field_size(plan, b->kernel);
    char *sum = b->sums ? b->sums + group * size : NULL;
    workspace work = workspace_open(plan, b->kernel);
    int code = work.time && work.sensitivity && work.winner && work.dirty ? EIKONAL2D_OK : EIKONAL2D_NO_MEMORY;
    if (code == EIKONAL2D_OK) {
        memset(work.sensitivity, 0, size);
        if (sum)
            memset(sum, 0, size);
    }
    for (int s = group; s < plan->n_sources && code == EIKONAL2D_OK; s += SOURCE_GROUPS)
        code = b->kernel->solve_source(plan, rows, s, b->n, b->slowness, &b->task, sum, &work);
    workspace_close(&work);
    return code;
}

/* Results of the models from `first` on. */
static eikonal2d_task task_from(const eikonal2d_plan *plan, eikonal2d_task task, long first)
{
    const long n_velocity = (long)plan->velocity_rows * plan->velocity_columns;
    task.times += first * plan->n_pairs;
    if (task.gradient)
        task.gradient += first * n_velocity;
    if (task.rays)
        task.rays += first * plan->n_pairs * n_velocity;
    return task;
}

/* Blocks of `wide` lanes, and a last one of `narrow` lanes where these are enough. */
static int make_blocks(const eikonal2d_plan *plan, int n_models, const lane_kernel *wide, const lane_kernel *narrow,
                       eikonal2d_task task, block *blocks)
{
    const int with_sums = task.gradient || task.rays;
    int n_blocks = 0;
    for (int first = 0; first < n_models; n_blocks++) {
        const int left = n_models - first;
        const lane_kernel *kernel = left > narrow->lanes ? wide : narrow;
        const size_t size = field_size(plan, kernel);
        block *b = blocks + n_blocks;
        *b = (block){kernel, first, left < kernel->lanes ? left : kernel->lanes, aligned_alloc(64, size), NULL,
                     task_from(plan, task, first)};
        if (with_sums)
            b->sums = aligned_alloc(64, size * SOURCE_GROUPS);
        if (!b->slowness || (with_sums && !b->sums))
            return -1;
        first += b->n;
    }
    return n_blocks;
}

static int solve(const eikonal2d_plan *plan, int n_models, const double *velocity, eikonal2d_task task, int n_threads,
                 const lane_kernel *wide, const lane_kernel *narrow)
{
    const long n_velocity = (long)plan->velocity_rows * plan->velocity_columns;
    const int max_blocks = n_models / narrow->lanes + 1;
    row_geometry *rows = row_geometries(plan);
    block *blocks = calloc(max_blocks, sizeof(block));
    const int n_blocks = rows && blocks ? make_blocks(plan, n_models, wide, narrow, task, blocks) : -1;
    int code = n_blocks < 0 ? EIKONAL2D_NO_MEMORY : EIKONAL2D_OK;

    if (code == EIKONAL2D_OK) {
#pragma omp parallel for num_threads(n_threads) schedule(dynamic)
        for (int i = 0; i < n_blocks; i++)
            blocks[i].kernel->load(plan, blocks[i].n, velocity + blocks[i].first * n_velocity, blocks[i].slowness);

#pragma omp parallel for num_threads(n_threads) schedule(dynamic) reduction(max : code)
        for (int i = 0; i < n_blocks * SOURCE_GROUPS; i++) {
            const int failed = solve_group(plan, rows, blocks + i / SOURCE_GROUPS, i % SOURCE_GROUPS);
            code = failed > code ? failed : code;
        }
    }
    if (code == EIKONAL2D_OK && task.gradient) {
#pragma omp parallel for num_threads(n_threads) schedule(dynamic)
        for (int i = 0; i < n_blocks; i++)
            blocks[i].kernel->unload(plan, blocks[i].n, blocks[i].slowness, blocks[i].sums, SOURCE_GROUPS, whole_grid(plan),
                                     blocks[i].task.gradient, n_velocity); /* triangles at the edge use the border */
    }
    for (int i = 0; blocks && i < max_blocks; i++) {
        free(blocks[i].slowness);
        free(blocks[i].sums);
    }
    free(blocks);
    free(rows);
    return code;
}

int eikonal2d_solve_float(const eikonal2d_plan *plan, int n_models, const double *velocity, eikonal2d_task task, int n_threads)
{
    return solve(plan, n_models, velocity, task, n_threads, &kernel_float16, &kernel_float8);
}

int eikonal2d_solve_double(const eikonal2d_plan *plan, int n_models, const double *velocity, eikonal2d_task task, int n_threads)
{
    return solve(plan, n_models, velocity, task, n_threads, &kernel_double8, &kernel_double8);
}

int eikonal2d_field(const eikonal2d_plan *plan, int source, const double *velocity, double *field)
{
    const lane_kernel *kernel = &kernel_double8;
    row_geometry *rows = row_geometries(plan);
    double *slowness = aligned_alloc(64, field_size(plan, kernel));
    workspace work = workspace_open(plan, kernel);
    int code = rows && slowness && work.time && work.sensitivity && work.winner && work.dirty ? EIKONAL2D_OK
                                                                                              : EIKONAL2D_NO_MEMORY;
    if (code == EIKONAL2D_OK) {
        kernel->load(plan, 1, velocity, slowness);
        code = kernel->solve_source(plan, rows, source, 1, slowness, NULL, NULL, &work);
    }
    for (int node = 0; code == EIKONAL2D_OK && node < plan->n_nodes; node++)
        field[node] = ((double *)work.time)[(long)node * kernel->lanes];
    workspace_close(&work);
    free(slowness);
    free(rows);
    return code;
}

const char *eikonal2d_simd_level(void) { return simd_level_name(); }
