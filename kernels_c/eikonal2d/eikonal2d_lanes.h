/* The scheme of eikonal2d.h for LANES models of type REAL at once. Included once per instance by eikonal2d.c, which defines
 * REAL, SQRT, LANES and NAME(x). Loops over lanes are written so that the compiler turns each into SIMD code. */

/* Squared (s h)^2 - (p h)^2 of a triangle: the squared delay between its edge and the node. d is p times edge length. */
static inline REAL NAME(squared_delay)(REAL d, REAL s, REAL f, REAL steepest, REAL h2, REAL aspect2)
{
    REAL most = s * steepest;
    d += s * f;
    d = d > 0 ? d : 0;
    d = d < most ? d : most;
    return h2 * s * s - aspect2 * d * d;
}

static inline REAL NAME(smaller)(REAL a, REAL b) { return a < b ? a : b; }

/* Update one node in all lanes from its eight triangles. Returns bits for the neighbours that are later than the node and
 * so may improve, in the order of `neighbour_row` and `neighbour_column`; lanes later than `limit` do not count. */
MULTIVERSION
static int NAME(update)(const REAL *restrict s, REAL *restrict time, INTEGER *restrict winner, long down,
                        const REAL *restrict correction, const row_geometry *g, const REAL *restrict limit)
{
    const REAL x2 = (REAL)g->x2, y2 = (REAL)g->y2, x_aspect2 = (REAL)g->x_aspect2, y_aspect2 = (REAL)g->y_aspect2;
    const REAL x_steepest = (REAL)g->x_steepest, y_steepest = (REAL)g->y_steepest;
    const REAL *e = correction, *f = correction + 4;
    int later = 0;
#pragma omp simd reduction(| : later)
    for (int l = 0; l < LANES; l++) {
        const long left = l - LANES, right = l + LANES;
        const REAL half = (REAL)0.5 * s[l], quarter = (REAL)0.25;
        const REAL s_left = half + quarter * s[left], s_right = half + quarter * s[right];
        const REAL s_up = half + quarter * s[l - down], s_down = half + quarter * s[l + down];
        const REAL s_lu = quarter * s[left - down], s_ru = quarter * s[right - down];
        const REAL s_ld = quarter * s[left + down], s_rd = quarter * s[right + down];
        const REAL t_left = time[left], t_right = time[right], t_up = time[l - down], t_down = time[l + down];
        const REAL t_lu = time[left - down], t_ru = time[right - down];
        const REAL t_ld = time[left + down], t_rd = time[right + down];

        const REAL q0 = NAME(squared_delay)(t_left - t_lu, s_left + s_lu, f[0], x_steepest, x2, x_aspect2);
        const REAL q1 = NAME(squared_delay)(t_left - t_ld, s_left + s_ld, f[1], x_steepest, x2, x_aspect2);
        const REAL q2 = NAME(squared_delay)(t_right - t_ru, s_right + s_ru, f[2], x_steepest, x2, x_aspect2);
        const REAL q3 = NAME(squared_delay)(t_right - t_rd, s_right + s_rd, f[3], x_steepest, x2, x_aspect2);
        const REAL q4 = NAME(squared_delay)(t_up - t_lu, s_up + s_lu, f[4], y_steepest, y2, y_aspect2);
        const REAL q5 = NAME(squared_delay)(t_up - t_ru, s_up + s_ru, f[5], y_steepest, y2, y_aspect2);
        const REAL q6 = NAME(squared_delay)(t_down - t_ld, s_down + s_ld, f[6], y_steepest, y2, y_aspect2);
        const REAL q7 = NAME(squared_delay)(t_down - t_rd, s_down + s_rd, f[7], y_steepest, y2, y_aspect2);

        const REAL by_left = t_left - s[l] * e[0] + SQRT(NAME(smaller)(q0, q1));
        const REAL by_right = t_right - s[l] * e[1] + SQRT(NAME(smaller)(q2, q3));
        const REAL by_up = t_up - s[l] * e[2] + SQRT(NAME(smaller)(q4, q5));
        const REAL by_down = t_down - s[l] * e[3] + SQRT(NAME(smaller)(q6, q7));
        const REAL by_x = NAME(smaller)(by_left, by_right), by_y = NAME(smaller)(by_up, by_down);
        const REAL best = NAME(smaller)(by_x, by_y);

        const INTEGER of_left = q1 < q0 ? 1 : 0, of_right = q3 < q2 ? 3 : 2, of_up = q5 < q4 ? 5 : 4, of_down = q7 < q6 ? 7 : 6;
        const INTEGER of_x = by_right < by_left ? of_right : of_left, of_y = by_down < by_up ? of_down : of_up;
        const INTEGER triangle = by_y < by_x ? of_y : of_x, old_triangle = winner[l];
        const REAL old = time[l], reach = best < limit[l] ? best : (REAL)NEVER;
        const REAL front = best < old ? reach : (REAL)NEVER;
        time[l] = best < old ? best : old;
        winner[l] = best < old ? triangle : old_triangle;
        later |= (t_left > front ? 1 : 0) | (t_right > front ? 2 : 0) | (t_up > front ? 4 : 0) | (t_down > front ? 8 : 0)
               | (t_lu > front ? 16 : 0) | (t_ru > front ? 32 : 0) | (t_ld > front ? 64 : 0) | (t_rd > front ? 128 : 0);
    }
    return later;
}

/* Per lane, the time after which no node can matter to a receiver of this source: the latest of the receivers' corners. */
static void NAME(latest_receiver)(const eikonal2d_plan *plan, int source, const REAL *time, REAL *limit)
{
    for (int l = 0; l < LANES; l++)
        limit[l] = 0;
    for (int p = plan->pair_start[source]; p < plan->pair_start[source + 1]; p++) {
        if (plan->pair_direct[p] > 0)
            continue;
        for (int c = 0; c < 4; c++) {
            const REAL *t = time + (long)plan->pair_corner[4 * p + c] * LANES;
            for (int l = 0; l < LANES; l++)
                limit[l] = limit[l] > t[l] ? limit[l] : t[l];
        }
    }
}

/* Mean of the slowness over the corners of a cell. */
static inline REAL NAME(interpolate)(const REAL *s, const int32_t *corner, const double *weight, int lane)
{
    REAL sum = 0;
    for (int c = 0; c < 4; c++)
        sum += (REAL)weight[c] * s[(long)corner[c] * LANES + lane];
    return sum;
}

/* Straight-ray times on the fixed nodes around the source; all other nodes are never reached so far. */
static void NAME(start)(const eikonal2d_plan *plan, int source, const REAL *s, REAL *time)
{
    for (long i = 0; i < (long)plan->n_nodes * LANES; i++)
        time[i] = (REAL)NEVER;
    for (int m = plan->fixed_start[source]; m < plan->fixed_start[source + 1]; m++) {
        const long node = plan->fixed_node[m];
        for (int l = 0; l < LANES; l++) {
            REAL s_source = NAME(interpolate)(s, plan->source_corner + 4 * source, plan->source_weight + 4 * source, l);
            time[node * LANES + l] = (REAL)plan->fixed_distance[m] * (REAL)0.5 * (s_source + s[node * LANES + l]);
        }
    }
}

/* Times of one source on all nodes that can matter (assumption 3), by label correcting in the order of distance. */
static int NAME(march)(const eikonal2d_plan *plan, const row_geometry *rows, int source, const REAL *s, int everywhere,
                       REAL *time, INTEGER *winner, uint64_t *dirty)
{
    const int32_t *order = plan->order + plan->order_start[source];
    const int32_t *rank = plan->rank + (long)source * plan->n_nodes;
    const REAL *correction = (const REAL *)plan->corrections + (long)source * plan->n_nodes * 12;
    const int places = plan->order_start[source + 1] - plan->order_start[source];
    const int last = everywhere ? places : last_corner_place(plan, source, rank, places);
    long visits_left = 1000L * (places + 1);
    REAL limit[LANES];
    for (int l = 0; l < LANES; l++)
        limit[l] = (REAL)NEVER;

    NAME(start)(plan, source, s, time);
    wavefront front = wavefront_open(dirty, places);
    for (int m = plan->fixed_start[source]; m < plan->fixed_start[source + 1]; m++)
        mark_neighbours(&front, rank, plan->fixed_node[m], plan->stride, 255);
    for (int place; (place = wavefront_next(&front)) >= 0;) {
        if (visits_left-- == 0)
            return EIKONAL2D_NO_CONVERGENCE;
        const int node = order[place];
        const long at = (long)node * LANES;
        int later = NAME(update)(s + at, time + at, winner + at, (long)plan->stride * LANES, correction + 12L * node,
                                 rows + node / plan->stride, limit);
        mark_neighbours(&front, rank, node, plan->stride, later);
        if (front.window_is_new && front.window > last / 64) {
            NAME(latest_receiver)(plan, source, time, limit);
            front.window_is_new = 0;
        }
    }
    return EIKONAL2D_OK;
}

/* Push the sensitivity of one node in one lane to the two nodes of its winning triangle, and to the slowness it used. */
static inline void NAME(push)(const REAL *s, const REAL *time, REAL *sensitivity, REAL *gradient, long at, long j, long k,
                              int by_row, REAL e, REAL f, const row_geometry *g)
{
    const REAL h2 = (REAL)(by_row ? g->y2 : g->x2), aspect2 = (REAL)(by_row ? g->y_aspect2 : g->x_aspect2);
    const REAL steepest = (REAL)(by_row ? g->y_steepest : g->x_steepest);
    const REAL mean = (REAL)0.5 * s[at] + (REAL)0.25 * (s[j] + s[k]), most = mean * steepest;
    REAL d = time[j] - time[k] + mean * f, d_by_s = f, d_by_t = 1;
    if (d <= 0)
        d = d_by_s = d_by_t = 0;
    else if (d >= most) {
        d = most;
        d_by_s = steepest;
        d_by_t = 0;
    }
    const REAL delay = SQRT(h2 * mean * mean - aspect2 * d * d), load = sensitivity[at];
    const REAL share = d_by_t * aspect2 * d / delay; /* of k; j has the rest */
    const REAL by_mean = load * (h2 * mean - aspect2 * d * d_by_s) / delay;
    sensitivity[at] = 0;
    sensitivity[j] += load * (1 - share);
    sensitivity[k] += load * share;
    gradient[at] += (REAL)0.5 * by_mean - load * e;
    gradient[j] += (REAL)0.25 * by_mean;
    gradient[k] += (REAL)0.25 * by_mean;
}

/* Spread the sensitivities of the receivers of some pairs over the slowness: the transpose of `march`, latest nodes first.
 * Returns a part of the grid outside which the gradient was not touched. */
static extent NAME(backpropagate)(const eikonal2d_plan *plan, const row_geometry *rows, int source, int first_pair,
                                int end_pair, int n_models, const REAL *s, const REAL *time, const INTEGER *winner,
                                uint64_t *dirty, REAL *sensitivity, REAL *gradient)
{
    const int32_t *order = plan->order + plan->order_start[source];
    const int32_t *rank = plan->rank + (long)source * plan->n_nodes;
    const REAL *correction = (const REAL *)plan->corrections + (long)source * plan->n_nodes * 12;
    const int last = plan->order_start[source + 1] - plan->order_start[source] - 1; /* the walk begins there */
    wavefront front = wavefront_open(dirty, last + 1);
    extent touched = nodes_extent(plan->source_corner + 4 * source, 4, plan->stride);

    for (int c = 4 * first_pair; c < 4 * end_pair; c++) {
        if (plan->pair_direct[c / 4] == 0)
            wavefront_mark(&front, last - rank[plan->pair_corner[c]]);
        extent_include(&touched, plan->pair_corner[c], plan->stride);
    }
    for (int place; (place = wavefront_next(&front)) >= 0;) {
        const int node = order[last - place];
        extent_include(&touched, node, plan->stride);
        const row_geometry *g = rows + node / plan->stride;
        const REAL *c = correction + 12L * node;
        for (int l = 0; l < n_models; l++) {
            const long at = (long)node * LANES + l;
            if (sensitivity[at] == 0)
                continue;
            const int t = (int)winner[at];
            const int j = node + axis_row[t] * plan->stride + axis_column[t];
            const int k = node + diagonal_row[t] * plan->stride + diagonal_column[t];
            NAME(push)(s, time, sensitivity, gradient, at, (long)j * LANES + l, (long)k * LANES + l, t >= 4, c[t / 2],
                       c[4 + t], g);
            wavefront_mark(&front, last - rank[j]);
            wavefront_mark(&front, last - rank[k]);
        }
    }
    /* What arrived on the fixed nodes goes to the slowness there and at the source. */
    for (int m = plan->fixed_start[source]; m < plan->fixed_start[source + 1]; m++) {
        extent_include(&touched, plan->fixed_node[m], plan->stride);
        for (int l = 0; l < n_models; l++) {
            const long at = (long)plan->fixed_node[m] * LANES + l;
            const REAL load = (REAL)0.5 * (REAL)plan->fixed_distance[m] * sensitivity[at];
            sensitivity[at] = 0;
            gradient[at] += load;
            for (int c = 0; c < 4; c++)
                gradient[(long)plan->source_corner[4 * source + c] * LANES + l]
                    += load * (REAL)plan->source_weight[4 * source + c];
        }
    }
    return extent_wider(touched, plan);
}

/* Time of one pair in one lane. */
static double NAME(pair_time)(const eikonal2d_plan *plan, int source, int p, int lane, const REAL *s, const REAL *time)
{
    const int32_t *corner = plan->pair_corner + 4 * p;
    const double *w = plan->pair_weight + 4 * p, half = 0.5 * plan->pair_direct[p];
    if (half > 0)
        return half * (NAME(interpolate)(s, plan->source_corner + 4 * source, plan->source_weight + 4 * source, lane)
                       + NAME(interpolate)(s, corner, w, lane));
    double t = 0;
    for (int c = 0; c < 4; c++)
        t += w[c] * time[(long)corner[c] * LANES + lane];
    return t;
}

/* Put a load on the time of one pair in one lane: on the times of its corners, or on the slowness of a straight ray. */
static void NAME(put)(const eikonal2d_plan *plan, int source, int p, int lane, double load, REAL *sensitivity, REAL *gradient)
{
    const int32_t *corner = plan->pair_corner + 4 * p, *source_corner = plan->source_corner + 4 * source;
    const double *w = plan->pair_weight + 4 * p, *source_w = plan->source_weight + 4 * source;
    const double half = 0.5 * plan->pair_direct[p];
    for (int c = 0; c < 4; c++) {
        const long at = (long)corner[c] * LANES + lane;
        if (half > 0) {
            gradient[at] += (REAL)(load * half * w[c]);
            gradient[(long)source_corner[c] * LANES + lane] += (REAL)(load * half * source_w[c]);
        } else
            sensitivity[at] += (REAL)(load * w[c]);
    }
}

/* Slowness on the bordered refined grid from velocity on its nodes, bilinear in velocity; idle lanes repeat the last. */
static void NAME(load)(const eikonal2d_plan *plan, int n_models, const double *velocity, void *slowness)
{
    const int columns = plan->stride, rows = plan->n_nodes / columns;
    const long n_velocity = (long)plan->velocity_rows * plan->velocity_columns;
    REAL *s = slowness;
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < columns; c++) {
            const bilinear b = refined_node(plan, r, c);
            REAL *out = s + ((long)r * columns + c) * LANES;
            for (int l = 0; l < LANES; l++) {
                const double *v = velocity + (l < n_models ? l : n_models - 1) * n_velocity;
                out[l] = (REAL)(1 / (b.weight[0] * v[b.node[0]] + b.weight[1] * v[b.node[1]]
                                     + b.weight[2] * v[b.node[2]] + b.weight[3] * v[b.node[3]]));
            }
        }
}

/* Gradient by velocity from the partial sums of the gradient by slowness, added in their own order, in a part of the grid;
 * results of the models are `apart`. */
static void NAME(unload)(const eikonal2d_plan *plan, int n_models, const void *slowness, const void *partial_sums,
                         int n_sums, extent part, double *gradient, long apart)
{
    const int columns = plan->stride;
    const long n_velocity = (long)plan->velocity_rows * plan->velocity_columns, n = (long)plan->n_nodes * LANES;
    const REAL *s = slowness, *sums = partial_sums;
    for (int l = 0; l < n_models; l++)
        memset(gradient + l * apart, 0, sizeof(double) * n_velocity);
    for (int r = part.first_row; r <= part.last_row; r++)
        for (int c = part.first_column; c <= part.last_column; c++) {
            const bilinear b = refined_node(plan, r, c);
            const long at = ((long)r * columns + c) * LANES;
            for (int l = 0; l < n_models; l++) {
                double by_slowness = 0;
                for (int i = 0; i < n_sums; i++)
                    by_slowness += sums[i * n + at + l];
                if (by_slowness == 0)
                    continue;
                for (int q = 0; q < 4; q++)
                    gradient[l * apart + b.node[q]] -= b.weight[q] * by_slowness * (double)s[at + l] * s[at + l];
            }
        }
}

/* Gradients of the times of one source's pairs by velocity, one pair after the other; `sum` is zero before and after. */
static void NAME(rays)(const eikonal2d_plan *plan, const row_geometry *rows, int source, int n_models, const void *slowness,
                       double *rays, REAL *sum, workspace *work)
{
    const long n_velocity = (long)plan->velocity_rows * plan->velocity_columns;
    for (int p = plan->pair_start[source]; p < plan->pair_start[source + 1]; p++) {
        for (int l = 0; l < n_models; l++)
            NAME(put)(plan, source, p, l, 1, work->sensitivity, sum);
        const extent part = NAME(backpropagate)(plan, rows, source, p, p + 1, n_models, slowness, work->time, work->winner,
                                                work->dirty, work->sensitivity, sum);
        NAME(unload)(plan, n_models, slowness, sum, 1, part, rays + p * n_velocity, plan->n_pairs * n_velocity);
        for (int r = part.first_row; r <= part.last_row; r++)
            memset(sum + ((long)r * plan->stride + part.first_column) * LANES, 0,
                   sizeof(REAL) * LANES * (part.last_column - part.first_column + 1));
    }
}

/* One source for one block of models: times, and what is asked for besides. */
static int NAME(solve_source)(const eikonal2d_plan *plan, const row_geometry *rows, int source, int n_models,
                              const void *slowness, const eikonal2d_task *task, void *sum, workspace *work)
{
    int code = NAME(march)(plan, rows, source, slowness, task == NULL, work->time, work->winner, work->dirty);
    if (code != EIKONAL2D_OK || task == NULL)
        return code;
    const int first = plan->pair_start[source], end = plan->pair_start[source + 1];
    for (int p = first; p < end; p++)
        for (int l = 0; l < n_models; l++) {
            const double t = NAME(pair_time)(plan, source, p, l, slowness, work->time);
            task->times[(long)l * plan->n_pairs + p] = t;
            if (task->gradient)
                NAME(put)(plan, source, p, l, task->weight[p] * (t - task->observed[p]), work->sensitivity, sum);
        }
    if (task->gradient)
        NAME(backpropagate)(plan, rows, source, first, end, n_models, slowness, work->time, work->winner, work->dirty,
                            work->sensitivity, sum);
    if (task->rays)
        NAME(rays)(plan, rows, source, n_models, slowness, task->rays, sum, work);
    return code;
}

static const lane_kernel NAME(kernel) = {LANES, sizeof(REAL), NAME(load), NAME(solve_source), NAME(unload)};

#undef REAL
#undef INTEGER
#undef SQRT
#undef LANES
#undef NAME
