/* See eikonal3d.h for the scheme. This file has its two passes and distributes the sources over threads. */
#define _DEFAULT_SOURCE /* madvise */
#include "eikonal3d.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

#include "eikonal3d_queue.h"
#include "simd.h"

#define LANES 8
#define AHEAD 12    /* nodes: how early memory is asked for */
#define BORDER 2    /* nodes on every side, so that second neighbours exist; never reached */
#define NEVER 1e30  /* later than any time */
#define BAND 0.5    /* width of the queue's bands: of the mean time between neighbours */
#define MINOR 1e-12 /* of the same: a smaller improvement is not passed on */
#define FIXED 8     /* mark of nodes that no update changes: the border and the source's surroundings */

/* All that an update reads or writes at a node, on one line of the cache. */
typedef struct {
    double u, slowness2, offset[3]; /* T - s0 r; s^2; g, then +-g + b */
    float near;                     /* s0 r, to order nodes by */
    int32_t band, row;              /* of the queue; of the grid */
    uint8_t mark;                   /* FIXED, or: 1 if listed for an update; in the second pass, bit a: j follows on axis a */
} __attribute__((aligned(64))) node_state;

/* Nodes have the border, and C's memory order. */
typedef struct {
    const eikonal3d_grid *grid;
    const eikonal3d_source *source;
    long step[3];         /* from a node to the next along each axis */
    long size, rows;      /* nodes; rows of a plane */
    node_state *node;
    double *u;            /* of the first pass, for its differences */
    float *t;             /* T of the first pass */
    double (*weight)[2];  /* of y and z, for each row */
    uint64_t *order;      /* T of the first pass and node */
    int32_t *bin_start;   /* to sort them */
    node_list listed;
    wave_queue queue;
} workspace;

static inline double larger(double a, double b) { return a > b ? a : b; }
static inline double smaller(double a, double b) { return a < b ? a : b; }

static inline long node_at(const workspace *w, int i, int j, int k)
{
    return (i + BORDER) * w->step[0] + (j + BORDER) * w->step[1] + k + BORDER;
}

static inline long row_of(const workspace *w, long node) { return (uint32_t)node / (uint32_t)w->step[1]; }

static double distance(const eikonal3d_source *source, int i, int j, int k)
{
    const double *x = source->along_x + 4 * i, *y = source->along_y + 4 * j;
    return sqrt(x[0] + x[1] * (y[0] + y[1] * source->along_z[k]));
}

/* The u with sum of w max(u - a, 0)^2 = s2. An axis takes part if at its a that sum is below s2. */
static inline double arrival(double ax, double ay, double az, double wx, double wy, double wz, double s2)
{
    const double xy = ax - ay, xz = ax - az, yz = ay - az;
    const double x_y = larger(xy, 0), y_x = smaller(xy, 0), x_z = larger(xz, 0), z_x = smaller(xz, 0);
    const double y_z = larger(yz, 0), z_y = smaller(yz, 0);
    const double mx = wy * x_y * x_y + wz * x_z * x_z < s2 ? wx : 0;
    const double my = wx * y_x * y_x + wz * y_z * y_z < s2 ? wy : 0;
    const double mz = wx * z_x * z_x + wy * z_y * z_y < s2 ? wz : 0;
    const double first = smaller(smaller(ax, ay), az), ex = ax - first, ey = ay - first, ez = az - first;
    const double bx = mx * ex, by = my * ey, bz = mz * ez;
    const double a = mx + my + mz, b = bx + by + bz, c = bx * ex + by * ey + bz * ez - s2;
    return first + (b + sqrt(larger(b * b - a * c, 0))) / a;
}

/* Before the first pass: all of a row. */
MULTIVERSION
static void prepare_row(const workspace *w, int i, int j, const double *restrict velocity)
{
    const int n = w->grid->shape[2];
    const long at = node_at(w, i, j, 0), row = row_of(w, at);
    const double *x = w->source->along_x + 4 * i, *y = w->source->along_y + 4 * j, s0 = w->source->slowness;
    const double *restrict z = w->source->along_z, *restrict dz = z + n;
    node_state *restrict node = w->node + at;
    for (int k = 0; k < n; k++) {
        const double aside = y[0] + y[1] * z[k], r = sqrt(x[0] + x[1] * aside), scale = r > 0 ? s0 / r : 0;
        node[k].u = NEVER;
        node[k].slowness2 = 1 / (velocity[k] * velocity[k]);
        node[k].offset[0] = scale * (x[2] + x[3] * aside);
        node[k].offset[1] = scale * x[1] * (y[2] + y[3] * z[k]);
        node[k].offset[2] = scale * x[1] * y[1] * dz[k];
        node[k].near = (float)(s0 * r);
        node[k].band = NO_BAND;
        node[k].row = (int32_t)row;
        node[k].mark = 0;
    }
}

/* Sum over axes of the squared truncation errors of s0 r that let a node depend on later ones, s^2/km^2. */
static double truncation2(const workspace *w, int i, int j, int k)
{
    const long at = node_at(w, i, j, k), row = row_of(w, at);
    const double weight[3] = {w->grid->weight_x, w->weight[row][0], w->weight[row][1]};
    const double s0 = w->source->slowness, r = distance(w->source, i, j, k);
    const int place[3] = {i, j, k};
    double sum = 0;
    for (int a = 0; a < 3; a++) {
        double worst = 0;
        for (int up = -1; up <= 1; up += 2) {
            const int q[3] = {i + (a == 0) * up, j + (a == 1) * up, k + (a == 2) * up};
            if (place[a] + up >= 0 && place[a] + up < w->grid->shape[a])
                worst = larger(worst, s0 * (distance(w->source, q[0], q[1], q[2]) - r) - up * w->node[at].offset[a]);
        }
        sum += weight[a] * worst * worst;
    }
    return sum;
}

/* Property 2: raise s next to the source, as far as the fastest nodes could need it. */
static void limit_slowness(const workspace *w, double least)
{
    const double *h = w->grid->spacing, reach = larger(larger(h[0], h[1]), h[2]) * (1 + w->source->slowness / least);
    int first[3], end[3];
    for (int a = 0; a < 3; a++) {
        const int low = w->source->first_fixed[a], high = low + w->source->shape_fixed[a];
        const double nodes = reach / h[a] + 1;
        first[a] = low > nodes ? low - (int)nodes : 0;
        end[a] = w->grid->shape[a] - high > nodes ? high + (int)nodes : w->grid->shape[a];
    }
    for (int i = first[0]; i < end[0]; i++)
        for (int j = first[1]; j < end[1]; j++)
            for (int k = first[2]; k < end[2]; k++) {
                double *s2 = &w->node[node_at(w, i, j, k)].slowness2;
                *s2 = larger(*s2, 1.1 * truncation2(w, i, j, k));
            }
}

/* Straight rays on the fixed nodes; from there the waves start. */
static void fix_nodes(workspace *w)
{
    const eikonal3d_source *s = w->source;
    const int *first = s->first_fixed, *n = s->shape_fixed;
    const double *time = s->time_fixed;
    for (int i = first[0]; i < first[0] + n[0]; i++)
        for (int j = first[1]; j < first[1] + n[1]; j++)
            for (int k = first[2]; k < first[2] + n[2]; k++, time++) {
                const long at = node_at(w, i, j, k);
                w->node[at].u = *time - s->slowness * distance(s, i, j, k);
                w->node[at].mark = FIXED;
                queue_put(&w->queue, (int32_t)at, &w->node[at].band, *time);
            }
}

/* List the neighbours that a node could improve, without a branch: which do is hard to predict. */
static inline void list_neighbours(workspace *w, long at)
{
    const double u = w->node[at].u;
    int32_t *end = w->listed.node + w->listed.n;
    for (int a = 0; a < 3; a++) {
        node_state *before = w->node + at - w->step[a], *after = w->node + at + w->step[a];
        const int improves_before = (u + before->offset[a] < before->u) & (before->mark == 0);
        const int improves_after = (u - after->offset[a] < after->u) & (after->mark == 0);
        *end = (int32_t)(at - w->step[a]);
        end += improves_before;
        *end = (int32_t)(at + w->step[a]);
        end += improves_after;
        before->mark |= improves_before;
        after->mark |= improves_after;
    }
    w->listed.n = end - w->listed.node;
}

/* First-order updates of up to LANES nodes; none sees another's result. */
MULTIVERSION
static void update(const workspace *w, const int32_t *nodes, int n, double *restrict found)
{
    const double wx = w->grid->weight_x;
    double before[3][LANES], after[3][LANES], g[3][LANES], s2[LANES], wy[LANES], wz[LANES];
    for (int l = 0; l < LANES; l++) {
        const node_state *node = w->node + nodes[l < n ? l : n - 1];
        for (int a = 0; a < 3; a++) {
            before[a][l] = node[-w->step[a]].u;
            after[a][l] = node[w->step[a]].u;
            g[a][l] = node->offset[a];
        }
        s2[l] = node->slowness2;
        wy[l] = w->weight[node->row][0];
        wz[l] = w->weight[node->row][1];
    }
#pragma omp simd
    for (int l = 0; l < LANES; l++) {
        const double ax = smaller(before[0][l] - g[0][l], after[0][l] + g[0][l]);
        const double ay = smaller(before[1][l] - g[1][l], after[1][l] + g[1][l]);
        const double az = smaller(before[2][l] - g[2][l], after[2][l] + g[2][l]);
        found[l] = arrival(ax, ay, az, wx, wy[l], wz[l], s2[l]);
    }
}

/* Ask for a node and its neighbours before they are needed: the order of the nodes jumps about in memory. */
static inline void prefetch(const workspace *w, long at)
{
    for (int a = 0; a < 3; a++) {
        __builtin_prefetch(w->node + at - w->step[a]);
        __builtin_prefetch(w->node + at + w->step[a]);
    }
    __builtin_prefetch(w->node + at);
}

/* The nodes of a band list what they may improve; those that waited for the ring to reach them go on waiting. */
static void spread(workspace *w, const node_list *band)
{
    wave_queue *queue = &w->queue;
    w->listed.n = 0;
    if (!list_reserve(&w->listed, 6 * band->n + 1)) {
        queue->failed = 1;
        return;
    }
    for (long m = 0; m < band->n; m++) {
        node_state *node = w->node + band->node[m];
        if (m + AHEAD < band->n)
            prefetch(w, band->node[m + AHEAD]);
        if (node->band != queue->now)
            continue;
        node->band = NO_BAND;
        const double time = node->u + node->near;
        if (time * queue->per_second >= queue->now + 1.0)
            queue_put(queue, band->node[m], &node->band, time);
        else
            list_neighbours(w, band->node[m]);
    }
}

/* First-order u, by label correcting. */
static void first_pass(workspace *w, double minor)
{
    double found[LANES];
    for (const node_list *band; (band = queue_take(&w->queue));) {
        spread(w, band);
        const int32_t *nodes = w->listed.node;
        for (long m = 0, left; (left = w->listed.n - m) > 0; m += LANES, nodes += LANES) {
            const int n = left < LANES ? (int)left : LANES;
            for (int l = LANES; l < 2 * LANES && l < left; l++)
                prefetch(w, nodes[l]);
            update(w, nodes, n, found);
            for (int l = 0; l < n; l++) {
                node_state *node = w->node + nodes[l];
                node->mark = 0;
                const int passed_on = found[l] < node->u - minor;
                node->u = smaller(found[l], node->u);
                if (passed_on)
                    queue_put(&w->queue, nodes[l], &node->band, node->u + node->near);
            }
        }
    }
}

/* u and T of the first pass, apart. Returns the latest T of the row. */
static float collect_row(const workspace *w, int i, int j)
{
    const long at = node_at(w, i, j, 0);
    float last = 0;
    for (long m = at; m < at + w->grid->shape[2]; m++) {
        w->u[m] = w->node[m].u;
        w->t[m] = (float)larger(w->u[m] + w->node[m].near, 0);
        last = w->t[m] > last ? w->t[m] : last;
    }
    return last;
}

/* Before the second pass: sides, offsets and s^2 of a row from the first. */
MULTIVERSION
static void correct_row(const workspace *w, int i, int j, const double *restrict velocity)
{
    const int n = w->grid->shape[2];
    const long at = node_at(w, i, j, 0), row = row_of(w, at);
    const double weight[3] = {w->grid->weight_x, w->weight[row][0], w->weight[row][1]};
    const double *restrict u = w->u + at;
    const float *restrict t = w->t + at;
    node_state *restrict node = w->node + at;
    for (int k = 0; k < n; k++) {
        double s2 = 1 / (velocity[k] * velocity[k]);
        const double least = 0.25 * s2; /* s^2 was raised in the first pass: what is kept may exceed it */
        int sides = node[k].mark & FIXED;
        for (int a = 0; a < 3; a++) {
            const long d = w->step[a];
            const double g = node[k].offset[a], before = u[k] - u[k - d] + g, after = u[k] - u[k + d] - g;
            const int turned = after > before;
            const float tj = turned ? t[k + d] : t[k - d];
            const double uj = turned ? u[k + d] : u[k - d], ujj = turned ? u[k + 2 * d] : u[k - 2 * d];
            const double kept = larger(larger(before, after), 0), bend = smaller(u[k] - 2 * uj + ujj, kept);
            const double b = ujj < NEVER ? 0.5 * bend : 0;
            node[k].offset[a] = tj < t[k] ? (turned ? -g : g) + b : -NEVER;
            s2 -= tj < t[k] ? 0 : weight[a] * kept * kept;
            sides |= turned << a;
        }
        node[k].slowness2 = larger(s2, least);
        node[k].mark = (uint8_t)sides;
    }
}

static inline uint64_t entry_of(float time, long node)
{
    uint32_t bits;
    memcpy(&bits, &time, sizeof bits);
    return (uint64_t)bits << 32 | (uint64_t)node; /* bits of positive floats have the floats' order */
}

static inline long n_bins(long nodes) { return nodes / 8 + 2; }

/* Put the nodes into the order of T: into bins of about eight, then each bin by insertion. */
static void sort_nodes(const workspace *w, float last)
{
    const int *n = w->grid->shape;
    const long bins = n_bins(w->size);
    const double per_second = last > 0 ? (double)(bins - 2) / last : 0;
    int32_t *start = w->bin_start;
    memset(start, 0, sizeof(int32_t) * (bins + 1));
    for (int i = 0; i < n[0]; i++)
        for (int j = 0; j < n[1]; j++)
            for (long at = node_at(w, i, j, 0), end = at + n[2]; at < end; at++)
                start[(long)(w->t[at] * per_second) + 1]++;
    for (long b = 0; b < bins; b++)
        start[b + 1] += start[b];
    for (int i = 0; i < n[0]; i++)
        for (int j = 0; j < n[1]; j++)
            for (long at = node_at(w, i, j, 0), end = at + n[2]; at < end; at++)
                w->order[start[(long)(w->t[at] * per_second)]++] = entry_of(w->t[at], at);
    for (long m = 1; m < (long)n[0] * n[1] * n[2]; m++) {
        const uint64_t entry = w->order[m];
        long place = m;
        for (; place > 0 && w->order[place - 1] > entry; place--)
            w->order[place] = w->order[place - 1];
        w->order[place] = entry;
    }
}

/* Second-order times, each from earlier ones. */
MULTIVERSION
static void second_pass(const workspace *w)
{
    const long total = (long)w->grid->shape[0] * w->grid->shape[1] * w->grid->shape[2];
    const double wx = w->grid->weight_x;
    for (long m = 0; m < total; m++) {
        if (m + 2 * AHEAD < total)
            __builtin_prefetch(w->node + (uint32_t)w->order[m + 2 * AHEAD]);
        if (m + AHEAD < total) {
            const node_state *next = w->node + (uint32_t)w->order[m + AHEAD];
            for (int a = 0; a < 3; a++)
                __builtin_prefetch(next + (2 * (next->mark >> a & 1) - 1) * w->step[a]);
        }
        node_state *node = w->node + (uint32_t)w->order[m];
        double a[3];
        for (int q = 0; q < 3; q++)
            a[q] = node[(2 * (node->mark >> q & 1) - 1) * w->step[q]].u - node->offset[q];
        const double *weight = w->weight[node->row];
        const double found = arrival(a[0], a[1], a[2], wx, weight[0], weight[1], node->slowness2);
        if (!(node->mark & FIXED) && found < NEVER) /* with no earlier neighbour, by rounding of T, u stays as it is */
            node->u = found;
    }
}

/* The result of a row. */
MULTIVERSION
static void write_row(const workspace *w, int i, int j, int factored, double *restrict times)
{
    const double *x = w->source->along_x + 4 * i, *y = w->source->along_y + 4 * j, s0 = w->source->slowness;
    const double *restrict z = w->source->along_z;
    const node_state *restrict node = w->node + node_at(w, i, j, 0);
    for (int k = 0; k < w->grid->shape[2]; k++) {
        const double r = sqrt(x[0] + x[1] * (y[0] + y[1] * z[k]));
        times[k] = factored ? s0 + (r > 0 ? node[k].u / r : 0) : s0 * r + node[k].u;
    }
}

/* In large pages where the system has them: nodes are visited in an order that jumps about in memory. */
static void *field_open(size_t size)
{
    const size_t page = size < 1 << 21 ? 64 : 1 << 21, whole = (size + page - 1) / page * page;
    void *field = aligned_alloc(page, whole);
#ifdef MADV_HUGEPAGE
    if (field && page > 64)
        madvise(field, whole, MADV_HUGEPAGE);
#endif
    return field;
}

static int workspace_open(workspace *w, const eikonal3d_grid *grid)
{
    const int *n = grid->shape;
    *w = (workspace){.grid = grid};
    w->step[2] = 1;
    w->step[1] = n[2] + 2 * BORDER;
    w->rows = n[1] + 2 * BORDER;
    w->step[0] = w->step[1] * w->rows;
    w->size = w->step[0] * (n[0] + 2 * BORDER);
    int opened = (w->node = field_open(sizeof(node_state) * w->size)) != NULL;
    opened &= (w->u = field_open(sizeof(double) * w->size)) != NULL;
    opened &= (w->t = field_open(sizeof(float) * w->size)) != NULL;
    opened &= (w->order = field_open(sizeof(uint64_t) * n[0] * n[1] * n[2])) != NULL;
    opened &= (w->bin_start = field_open(sizeof(int32_t) * (n_bins(w->size) + 1))) != NULL;
    opened &= (w->weight = calloc(w->rows * (n[0] + 2 * BORDER), sizeof *w->weight)) != NULL;
    for (int i = 0; opened && i < n[0]; i++)
        for (int j = 0; j < n[1]; j++) {
            double *weight = w->weight[row_of(w, node_at(w, i, j, 0))];
            weight[0] = grid->weight_y[i];
            weight[1] = grid->weight_z[(long)i * n[1] + j];
        }
    for (long m = 0; opened && m < w->size; m++) {
        w->u[m] = w->node[m].u = NEVER;
        w->t[m] = (float)NEVER;
        w->node[m].mark = FIXED;
    }
    return opened ? EIKONAL3D_OK : EIKONAL3D_NO_MEMORY;
}

static void workspace_close(workspace *w)
{
    void *fields[] = {w->node, w->u, w->t, w->order, w->bin_start, w->weight, w->listed.node};
    for (size_t f = 0; f < sizeof fields / sizeof *fields; f++)
        free(fields[f]);
    queue_close(&w->queue);
}

/* Slownesses of the model: the least and the mean. */
typedef struct {
    double least, mean;
} model_scale;

static model_scale scale_of(const double *velocity, long n)
{
    double fastest = 0, sum = 0;
    for (long m = 0; m < n; m++) {
        fastest = larger(fastest, velocity[m]);
        sum += 1 / velocity[m];
    }
    return (model_scale){1 / fastest, sum / (double)n};
}

static int solve_source(workspace *w, const double *velocity, model_scale scale, double *times, int factored)
{
    const int nx = w->grid->shape[0], ny = w->grid->shape[1], nz = w->grid->shape[2];
    const double *h = w->grid->spacing, delay = scale.mean * smaller(smaller(h[0], h[1]), h[2]);
    for (int i = 0; i < nx; i++)
        for (int j = 0; j < ny; j++)
            prepare_row(w, i, j, velocity + ((long)i * ny + j) * nz);
    limit_slowness(w, scale.least);
    w->queue.per_second = 1 / (BAND * delay);
    w->queue.now = 0;
    fix_nodes(w);
    first_pass(w, MINOR * delay);
    if (w->queue.failed)
        return EIKONAL3D_NO_MEMORY;

    float last = 0;
    for (int i = 0; i < nx; i++)
        for (int j = 0; j < ny; j++) {
            const float t = collect_row(w, i, j);
            last = t > last ? t : last;
        }
    for (int i = 0; i < nx; i++)
        for (int j = 0; j < ny; j++)
            correct_row(w, i, j, velocity + ((long)i * ny + j) * nz);
    sort_nodes(w, last);
    second_pass(w);
    for (int i = 0; i < nx; i++)
        for (int j = 0; j < ny; j++)
            write_row(w, i, j, factored, times + ((long)i * ny + j) * nz);
    return EIKONAL3D_OK;
}

int eikonal3d_solve(const eikonal3d_grid *grid, const double *velocity, int n_sources, const eikonal3d_source *sources,
                    double *times, int factored, int n_threads)
{
    const long total = (long)grid->shape[0] * grid->shape[1] * grid->shape[2];
    const model_scale scale = scale_of(velocity, total);
    const int n_teams = n_threads < n_sources ? n_threads : n_sources;
    int code = EIKONAL3D_OK;
#pragma omp parallel num_threads(n_teams) reduction(max : code)
    {
        workspace w;
        code = workspace_open(&w, grid);
#pragma omp for schedule(dynamic)
        for (int s = 0; s < n_sources; s++) {
            w.source = sources + s;
            if (code == EIKONAL3D_OK)
                code = solve_source(&w, velocity, scale, times + s * total, factored);
        }
        workspace_close(&w);
    }
    return code;
}

const char *eikonal3d_simd_level(void) { return simd_level_name(); }
