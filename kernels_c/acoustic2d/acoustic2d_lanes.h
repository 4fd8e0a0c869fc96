/* Included by acoustic2d.c once for each precision and instruction set, with REAL, INTEGER (of
 * the same size), LANE_BYTES and NAME defined.
 * See acoustic2d.h for the scheme. */

typedef REAL NAME(lane) __attribute__((vector_size(LANE_BYTES), aligned(LANE_BYTES)));
typedef REAL NAME(loose) __attribute__((vector_size(LANE_BYTES), aligned(sizeof(REAL)), may_alias));
typedef INTEGER NAME(index) __attribute__((vector_size(LANE_BYTES)));
#define LANE NAME(lane)
#define LANES ((int)(LANE_BYTES / sizeof(REAL)))
#define AT(p) (*(LANE *)(p))              /* aligned */
#define NEAR(p) ((LANE)(*(const NAME(loose) *)(p))) /* not aligned */

/* Lanes from the k-th of two vectors one after the other. */
static inline __attribute__((always_inline)) LANE NAME(shift)(LANE first, LANE second, int k)
{
#ifdef __clang__
    REAL both[2 * LANES];
    memcpy(both, &first, sizeof first);
    memcpy(both + LANES, &second, sizeof second);
    return NEAR(both + k);
#else
    NAME(index) lanes;
    for (int i = 0; i < LANES; i++)
        lanes[i] = i + k;
    return __builtin_shuffle(first, second, lanes);
#endif
}

/* Columns or rows in [first, last), whole groups, where a layer or its stencils reach. What fills up the last group is of
 * velocity zero, and stays at rest. */
typedef struct {
    int first, last;
} NAME(range);

/* The memory variables live in zones: those of columns left and right, [rows][zone width], those of rows above and below. */
typedef struct {
    NAME(range) left, right, above, below;
    int wanted; /* first row to image (known rows have no gradient): 0, or one between the layers */
    int stride, rows, zone_width, zone_rows;
    size_t field, column_memory, row_memory; /* reals in a wavefield with halo, and in one memory variable of each kind */
} NAME(layout);

/* Pointers into one block of memory, which is what a tape keeps. */
typedef struct {
    REAL *block;
    REAL *u[2];                             /* at row 0, column 0; u[n % 2] is that of step n */
    REAL *p_x, *sum_z;                      /* column zones: of 1 / s_x, and the time integral of Z u */
    REAL *p_z, *sum_x;                      /* row zones: of 1 / s_z, and the time integral of X u */
} NAME(state);

/* Points as places in a wavefield. */
typedef struct {
    int n;
    const int32_t *start;
    int32_t *node;
    REAL *weight;
} NAME(points);

typedef struct {
    const acoustic2d_plan *plan;
    NAME(layout) at;
    NAME(points) sources, receivers;
    REAL stencil_z[HALO + 1], stencil_x[HALO + 1], staggered_z[2], staggered_x[2];
    REAL *courant2;                                   /* (v dt)^2 / ((1 + Dx)(1 + Dz)) by row and column, no halo */
    REAL *damping_x, *now_x, *old_x, *decay_x, *share_x; /* D, 1 / (1 + D), (1 - D) / (1 + D); of 1 / s half way: see flux_z */
    REAL *damping_z, *now_z, *old_z, *decay_z, *share_z;
    REAL *flux_above, *flux_below;                    /* (1 / s_z - 1) d_z u of a row zone, zeros around it */
    void *memory;
} NAME(solver);

static NAME(layout) NAME(lay_out)(const acoustic2d_plan *plan)
{
    const int columns = plan->model_columns + 2 * plan->layer, end = round_up(columns, COLUMN_GROUP);
    const int last = plan->top + plan->model_rows + plan->layer, rows = round_up(last, ROW_GROUP);
    const int reach = plan->layer + STAGGERED_REACH;
    NAME(layout) at = {.rows = rows, .stride = MARGIN + end};
    if (at.stride * sizeof(REAL) % 1024 == 0)
        at.stride += COLUMN_GROUP; /* or rows fall on the same lines of the first cache */
    at.left = (NAME(range)){0, round_up(reach, COLUMN_GROUP)};
    at.right = (NAME(range)){(columns - reach) / COLUMN_GROUP * COLUMN_GROUP, end};
    if (at.left.last >= at.right.first)
        at.left.last = at.right.first = end;
    at.above = (NAME(range)){0, plan->top ? round_up(reach, ROW_GROUP) : 0};
    at.below = (NAME(range)){(last - reach) / ROW_GROUP * ROW_GROUP, rows};
    if (at.above.last >= at.below.first)
        at.above.last = at.below.first = rows;
    at.wanted = (plan->top + plan->known_rows) / ROW_GROUP * ROW_GROUP;
    at.wanted = at.wanted < at.above.last || !plan->known_rows ? 0 : at.wanted > at.below.first ? at.below.first : at.wanted;
    at.zone_width = at.left.last + end - at.right.first;
    at.zone_rows = at.above.last + rows - at.below.first;
    at.field = (size_t)(rows + 2 * HALO) * at.stride + COLUMN_GROUP;
    at.column_memory = (size_t)rows * at.zone_width;
    at.row_memory = (size_t)at.zone_rows * at.stride;
    return at;
}

static size_t NAME(state_size)(const NAME(layout) *at)
{
    return 2 * at->field + 2 * at->column_memory + 2 * at->row_memory;
}

static NAME(state) NAME(state_in)(const NAME(layout) *at, REAL *block)
{
    NAME(state) state = {.block = block};
    REAL *fields = block + (size_t)HALO * at->stride + MARGIN;
    state.u[0] = fields;
    state.u[1] = fields + at->field;
    state.p_x = block + 2 * at->field;
    state.sum_z = state.p_x + at->column_memory;
    state.p_z = state.sum_z + at->column_memory;
    state.sum_x = state.p_z + at->row_memory;
    return state;
}

static int NAME(place)(const NAME(layout) *at, const acoustic2d_points *points, NAME(points) *placed)
{
    const int entries = points->start[points->n];
    *placed = (NAME(points)){points->n, points->start, malloc(entries * sizeof(int32_t)), malloc(entries * sizeof(REAL))};
    if (!placed->node || !placed->weight)
        return ACOUSTIC2D_NO_MEMORY;
    for (int e = 0; e < entries; e++) {
        placed->node[e] = points->row[e] * at->stride + points->column[e];
        placed->weight[e] = (REAL)points->weight[e];
    }
    return ACOUSTIC2D_OK;
}

static void NAME(close)(NAME(solver) *s)
{
    free(s->sources.node);
    free(s->sources.weight);
    free(s->receivers.node);
    free(s->receivers.weight);
    free(s->memory);
}

/* Everything that does not change from step to step. */
static int NAME(open)(NAME(solver) *s, const acoustic2d_plan *plan, const double *velocity, const acoustic2d_points *sources,
                      const acoustic2d_points *receivers)
{
    const NAME(layout) at = NAME(lay_out)(plan);
    const size_t row = at.stride, rows = round_up(at.rows, COLUMN_GROUP); /* all parts are aligned */
    const size_t flux_above = (at.above.last + 2 * STAGGERED_REACH) * row;
    const size_t flux_below = (at.rows - at.below.first + 2 * STAGGERED_REACH) * row;
    const size_t size = at.rows * row + 5 * row + 5 * rows + flux_above + flux_below;
    memset(s, 0, sizeof *s);
    s->plan = plan;
    s->at = at;
    s->memory = allocate_zeros(size * sizeof(REAL));
    if (NAME(place)(&at, sources, &s->sources) || NAME(place)(&at, receivers, &s->receivers) || !s->memory)
        return ACOUSTIC2D_NO_MEMORY;
    REAL *free = s->memory;
    s->courant2 = free, free += at.rows * row;
    REAL **by_column[5] = {&s->damping_x, &s->now_x, &s->old_x, &s->decay_x, &s->share_x};
    REAL **by_row[5] = {&s->damping_z, &s->now_z, &s->old_z, &s->decay_z, &s->share_z};
    for (int i = 0; i < 5; i++) {
        *by_column[i] = free, free += row;
        *by_row[i] = free, free += rows;
    }
    s->flux_above = free + STAGGERED_REACH * row, free += flux_above;
    s->flux_below = free + STAGGERED_REACH * row;

    for (int k = 0; k <= plan->half; k++) {
        s->stencil_z[k] = (REAL)plan->stencil_z[k];
        s->stencil_x[k] = (REAL)plan->stencil_x[k];
    }
    for (int k = 0; k < 2; k++) {
        s->staggered_z[k] = (REAL)plan->staggered_z[k];
        s->staggered_x[k] = (REAL)plan->staggered_x[k];
    }
    const int columns = plan->model_columns + 2 * plan->layer, last = plan->top + plan->model_rows + plan->layer;
    for (int j = 0; j < at.stride; j++) {
        const double d = j < columns ? plan->damping_x[j] : 0, half = j < columns ? plan->damping_x_half[j] : 0;
        s->damping_x[j] = (REAL)d, s->now_x[j] = (REAL)(1 / (1 + d)), s->old_x[j] = (REAL)((1 - d) / (1 + d));
        s->decay_x[j] = (REAL)((1 - half) / (1 + half)), s->share_x[j] = (REAL)(-half / (1 + half));
    }
    for (int r = 0; r < at.rows; r++) {
        const double d = r < last ? plan->damping_z[r] : 0, half = r < last ? plan->damping_z_half[r] : 0;
        s->damping_z[r] = (REAL)d, s->now_z[r] = (REAL)(1 / (1 + d)), s->old_z[r] = (REAL)((1 - d) / (1 + d));
        s->decay_z[r] = (REAL)((1 - half) / (1 + half)), s->share_z[r] = (REAL)(-half / (1 + half));
        if (r >= last || (r == 0 && plan->free_surface))
            continue; /* u = 0 stays */
        for (int j = 0; j < columns; j++) {
            const double step = velocity[model_node(plan, r, j)] * plan->dt;
            s->courant2[r * row + j] = (REAL)(step * step / ((1 + d) * (1 + plan->damping_x[j])));
        }
    }
    return ACOUSTIC2D_OK;
}

/* (1 / s_z - 1) d_z u half a spacing below the rows of a zone. With D there and g = d_z u, the trapezoidal rule makes it
 * -D / (1 + D) (p[n] + p[n-1]) of the memory p[n] = (1 - D) / (1 + D) p[n-1] + g[n]. */
static inline __attribute__((always_inline)) void NAME(flux_z)(const NAME(solver) *s, const REAL *u, NAME(range) zone,
                                                              REAL *p, REAL *flux)
{
    const int stride = s->at.stride, end = s->at.right.last;
    const REAL near = s->staggered_z[0], far = s->staggered_z[1];
    for (int r = zone.first; r < zone.last; r++, p += stride, flux += stride) {
        const REAL decay = s->decay_z[r], share = s->share_z[r];
        const REAL *row = u + (long)r * stride;
        for (int j = 0; j < end; j += LANES) {
            const LANE g = near * (AT(row + stride + j) - AT(row + j)) +
                           far * (AT(row + 2 * stride + j) - AT(row - stride + j));
            const LANE old = AT(p + j), new = decay * old + g;
            AT(flux + j) = share * (new + old);
            AT(p + j) = new;
        }
    }
}

/* The same half a spacing right of the columns at u. */
static inline __attribute__((always_inline)) LANE NAME(flux_x)(const REAL *staggered, const REAL *u, LANE decay, LANE share,
                                                              REAL *p)
{
    const LANE g = staggered[0] * (AFTER(u, 1) - AT(u)) + staggered[1] * (AFTER(u, 2) - BEFORE(u, 1));
    const LANE old = AT(p), new = decay * old + g;
    AT(p) = new;
    return share * (new + old);
}

/* The arrays of one step, so that row r begins at r times the stride (p_x, sum_z: the zone width) in all of them. */
typedef struct {
    const REAL *u, *courant2, *flux_z;
    REAL *u_old, *p_x, *sum_z, *sum_x, *source, *image;
} NAME(arrays);

/* The update of a range of rows and columns: between the layers, or in_x and in_z layers. ROWS rows go side by side, so that
 * a column of lanes is loaded once for all of them. */
static inline __attribute__((always_inline)) void NAME(update)(const NAME(solver) *s, const NAME(arrays) *at, NAME(range) rows,
                                                              NAME(range) columns, int half, int mode, int in_x, int in_z)
{
    if (columns.first == columns.last)
        return;
    const long stride = s->at.stride, width = s->at.zone_width;
    REAL z_[HALO + 1], x_[HALO + 1], first_z[2], first_x[2];
    for (int k = 0; k <= half; k++)
        z_[k] = s->stencil_z[k], x_[k] = s->stencil_x[k];
    for (int k = 0; k < 2; k++)
        first_z[k] = s->staggered_z[k], first_x[k] = s->staggered_x[k];
    for (int r = rows.first; r < rows.last; r += ROWS) {
        const REAL *restrict u = at->u + r * stride, *courant2 = at->courant2 + r * stride;
        const REAL *d_z = s->damping_z + r, *now_z = s->now_z + r, *old_z = s->old_z + r;
        REAL *restrict u_old = at->u_old + r * stride;
        REAL *p_x = at->p_x + r * width, *sum_z = at->sum_z + r * width;
        LANE flux[ROWS], flux_before[ROWS];
        if (in_x) {
            const LANE decay = AT(s->decay_x + columns.first), share = AT(s->share_x + columns.first);
#pragma GCC unroll 4
            for (int i = 0; i < ROWS; i++) {
                flux_before[i] = (LANE){0};
                flux[i] = NAME(flux_x)(first_x, u + i * stride + columns.first, decay, share, p_x + i * width);
            }
        }
        for (int j = columns.first; j < columns.last; j += LANES) {
            const long in_zone = j - columns.first, next = j + LANES < columns.last ? LANES : 0;
            LANE column[ROWS + 2 * HALO], flux_z[ROWS + 3], d_x, now_x, old_x, decay, share;
#pragma GCC unroll 16
            for (int i = 0; i < ROWS + 2 * half; i++)
                column[i] = AT(u + (i - half) * stride + j);
            if (in_x) {
                d_x = AT(s->damping_x + j), now_x = AT(s->now_x + j), old_x = AT(s->old_x + j);
                decay = AT(s->decay_x + j + next), share = AT(s->share_x + j + next);
            }
            if (in_z) {
#pragma GCC unroll 8
                for (int i = 0; i < ROWS + 3; i++)
                    flux_z[i] = AT(at->flux_z + (r + i - 2) * stride + j);
            }
#pragma GCC unroll 4
            for (int i = 0; i < ROWS; i++) {
                const long o = i * stride + j;
                const LANE here = column[i + half];
                LANE z = z_[0] * here, x = x_[0] * here;
#pragma GCC unroll 4
                for (int k = 1; k <= half; k++) {
                    z += z_[k] * (column[i + half + k] + column[i + half - k]);
                    x += x_[k] * (AFTER(u + o, k) + BEFORE(u + o, k));
                }
                if (in_x) {
                    LANE after = {0};
                    if (next)
                        after = NAME(flux_x)(first_x, u + o + LANES, decay, share, p_x + i * width + in_zone + LANES);
                    x += first_x[0] * (flux[i] - SHIFT(flux_before[i], flux[i], LANES - 1)) +
                         first_x[1] * (SHIFT(flux[i], after, 1) - SHIFT(flux_before[i], flux[i], LANES - 2));
                    flux_before[i] = flux[i];
                    flux[i] = after;
                }
                if (in_z)
                    z += first_z[0] * (flux_z[i + 2] - flux_z[i + 1]) + first_z[1] * (flux_z[i + 3] - flux_z[i]);
                LANE q = z + x, new = 2 * here, old = AT(u_old + o);
                if (in_x) {
                    new *= in_z ? now_x * (1 - d_x * d_z[i]) : now_x;
                    old *= old_x;
                    REAL *sum = sum_z + i * width + in_zone;
                    const LANE before = AT(sum), after = before + z;
                    AT(sum) = after;
                    q += d_x * (after + before);
                }
                if (in_z) {
                    new *= now_z[i];
                    old *= old_z[i];
                    REAL *sum = at->sum_x + (r + i) * stride + j;
                    const LANE before = AT(sum), after = before + x;
                    AT(sum) = after;
                    q += d_z[i] * (after + before);
                }
                new += AT(courant2 + o) * q - old;
                AT(u_old + o) = new;
                if (mode == RECORD)
                    AT(at->source + r * stride + o) = q;
                if (mode == IMAGE) {
                    __builtin_prefetch(at->source + (r + ROWS) * stride + o);
                    AT(at->image + r * stride + o) += new * AT(at->source + r * stride + o);
                }
            }
        }
    }
}

/* Between the layers, where most nodes are, there is a version for each mode; elsewhere the mode is looked up. */
static void NAME(update_between)(const NAME(solver) *s, const NAME(arrays) *at, NAME(range) rows, NAME(range) columns, int mode)
{
    switch (4 * mode + s->plan->half - 1) {
#define CASE(mode, half)                                            \
    case 4 * mode + half - 1:                                       \
        NAME(update)(s, at, rows, columns, half, mode, 0, 0);             \
        break;
#define CASES(mode) CASE(mode, 1) CASE(mode, 2) CASE(mode, 3) CASE(mode, 4)
        CASES(ADVANCE)
        CASES(RECORD)
        CASES(IMAGE)
#undef CASES
#undef CASE
    }
}

static void NAME(update_layer)(const NAME(solver) *s, const NAME(arrays) *at, NAME(range) rows, NAME(range) columns, int mode,
                               int in_x, int in_z)
{
    switch (4 * (2 * in_x + in_z) + s->plan->half - 1) {
#define CASE(in_x, in_z, half)                                      \
    case 4 * (2 * in_x + in_z) + half - 1:                          \
        NAME(update)(s, at, rows, columns, half, mode, in_x, in_z);       \
        break;
#define CASES(in_x, in_z) CASE(in_x, in_z, 1) CASE(in_x, in_z, 2) CASE(in_x, in_z, 3) CASE(in_x, in_z, 4)
        CASES(0, 1)
        CASES(1, 0)
        CASES(1, 1)
#undef CASES
#undef CASE
    }
}

static void NAME(update_rows)(const NAME(solver) *s, NAME(arrays) at, NAME(range) rows, int mode, int in_z)
{
    const NAME(range) left = s->at.left, right = s->at.right, between = {left.last, right.first};
    NAME(update_layer)(s, &at, rows, left, mode, 1, in_z);
    if (in_z)
        NAME(update_layer)(s, &at, rows, between, mode, 0, 1);
    else
        NAME(update_between)(s, &at, rows, between, mode);
    at.p_x += left.last;
    at.sum_z += left.last;
    NAME(update_layer)(s, &at, rows, right, mode, 1, in_z);
}

/* One step: u[!now] goes from the time before `now` to the time after. RECORD keeps q in `source`; IMAGE adds the new
 * waves times `source` to `image`. */
static void NAME(step)(const NAME(solver) *s, NAME(state) *w, int now, int mode, REAL *source, REAL *image)
{
    const NAME(layout) *at = &s->at;
    const long stride = at->stride, below_shift = (at->above.last - at->below.first) * stride;
    NAME(arrays) arrays = {.u = w->u[now], .u_old = w->u[!now], .courant2 = s->courant2, .p_x = w->p_x, .sum_z = w->sum_z,
                           .source = source, .image = image};
    NAME(flux_z)(s, w->u[now], at->above, w->p_z, s->flux_above);
    arrays.flux_z = s->flux_above, arrays.sum_x = w->sum_x;
    NAME(update_rows)(s, arrays, at->above, at->wanted ? ADVANCE : mode, 1);
    NAME(update_rows)(s, arrays, (NAME(range)){at->above.last, at->wanted}, ADVANCE, 0);
    const int first_imaged = at->wanted ? at->wanted : at->above.last;
    NAME(update_rows)(s, arrays, (NAME(range)){first_imaged, at->below.first}, mode, 0);
    NAME(flux_z)(s, w->u[now], at->below, w->p_z + at->above.last * stride, s->flux_below);
    arrays.flux_z = s->flux_below - at->below.first * stride, arrays.sum_x = w->sum_x + below_shift;
    NAME(update_rows)(s, arrays, at->below, mode, 1);
}

/* Add sources of one time to u, the waves after it; and what they add to the q kept, or to the image. */
static void NAME(inject)(const NAME(solver) *s, const NAME(points) *points, const REAL *amplitude, REAL *u, int mode,
                         REAL *source, REAL *image)
{
    for (int k = 0; k < points->n; k++)
        for (int e = points->start[k]; e < points->start[k + 1]; e++) {
            const int node = points->node[e];
            const REAL q = points->weight[e] * amplitude[k], change = s->courant2[node] * q;
            u[node] += change;
            if (mode == RECORD)
                source[node] += q;
            if (mode == IMAGE)
                image[node] += change * source[node];
        }
}

static void NAME(record)(const NAME(points) *points, const REAL *u, REAL *trace)
{
    for (int k = 0; k < points->n; k++) {
        REAL sum = 0;
        for (int e = points->start[k]; e < points->start[k + 1]; e++)
            sum += points->weight[e] * u[points->node[e]];
        trace[k] = sum;
    }
}

/* Rows above a free surface, odd. */
static void NAME(reflect)(const NAME(solver) *s, REAL *u)
{
    const long stride = s->at.stride;
    for (int k = 1; k <= s->plan->half; k++)
        for (int j = 0; j < s->at.right.last; j++)
            u[-k * stride + j] = -u[k * stride + j];
}

/* From step n to n + 1: the waves, then their sources. */
static void NAME(advance)(const NAME(solver) *s, NAME(state) *w, int now, const NAME(points) *points,
                          const REAL *amplitude, int mode, REAL *source, REAL *image)
{
    NAME(step)(s, w, now, mode, source, image);
    NAME(inject)(s, points, amplitude, w->u[!now], mode, source, image);
    if (s->plan->free_surface)
        NAME(reflect)(s, w->u[!now]);
}

static int NAME(forward)(const acoustic2d_plan *plan, const double *velocity, const acoustic2d_points *sources,
                         const REAL *wavelets, const acoustic2d_points *receivers, REAL *traces, int every, void *tape)
{
    NAME(solver) s;
    const int status = NAME(open)(&s, plan, velocity, sources, receivers);
    const size_t size = NAME(state_size)(&s.at) * sizeof(REAL);
    REAL *block = status ? NULL : allocate_zeros(size);
    if (!block) {
        NAME(close)(&s);
        return ACOUSTIC2D_NO_MEMORY;
    }
    NAME(state) w = NAME(state_in)(&s.at, block);
    const unsigned mode = flush_denormals();
    for (int n = 0; n < plan->n_steps; n++) {
        if (tape && n % every == 0)
            memcpy((char *)tape + n / every * size, w.block, size);
        NAME(record)(&s.receivers, w.u[n % 2], traces + (size_t)n * receivers->n);
        if (n < plan->n_steps - 1)
            NAME(advance)(&s, &w, n % 2, &s.sources, wavelets + (size_t)n * sources->n, ADVANCE, NULL, NULL);
    }
    restore_denormals(mode);
    free(block);
    NAME(close)(&s);
    return ACOUSTIC2D_OK;
}

/* The image by node of the model: what the layers add goes to the nearest node. Known rows have none. */
static void NAME(fold)(const NAME(solver) *s, const double *velocity, const REAL *image, double *gradient)
{
    const acoustic2d_plan *plan = s->plan;
    const int columns = plan->model_columns + 2 * plan->layer;
    memset(gradient, 0, sizeof(double) * plan->model_rows * plan->model_columns);
    for (int r = plan->known_rows ? plan->top + plan->known_rows : 0; r < plan->top + plan->model_rows + plan->layer; r++)
        for (int j = 0; j < columns; j++)
            gradient[model_node(plan, r, j)] += image[(size_t)r * s->at.stride + j];
    for (long i = 0; i < (long)plan->model_rows * plan->model_columns; i++)
        gradient[i] *= 2 / velocity[i];
}

static int NAME(gradient)(const acoustic2d_plan *plan, const double *velocity, const acoustic2d_points *sources,
                          const REAL *wavelets, const acoustic2d_points *receivers, const REAL *by_trace, int every,
                          const void *tape, double *gradient)
{
    NAME(solver) s;
    const int status = NAME(open)(&s, plan, velocity, sources, receivers);
    const size_t state = NAME(state_size)(&s.at), nodes = (size_t)s.at.rows * s.at.stride;
    REAL *memory = status ? NULL : allocate_zeros((2 * state + nodes) * sizeof(REAL));
    REAL *kept = status ? NULL : allocate(every * nodes * sizeof(REAL));
    if (!memory || !kept) {
        free(kept);
        free(memory);
        NAME(close)(&s);
        return ACOUSTIC2D_NO_MEMORY;
    }
    NAME(state) waves = NAME(state_in)(&s.at, memory), residuals = NAME(state_in)(&s.at, memory + state);
    REAL *image = memory + 2 * state;
    const unsigned mode = flush_denormals();
    const int last = plan->n_steps - 1;
    for (int part = (last - 1) / every; part >= 0 && last > 0; part--) {
        const int begin = part * every, end = begin + every < last ? begin + every : last;
        memcpy(waves.block, (const char *)tape + part * state * sizeof(REAL), state * sizeof(REAL));
        for (int n = begin; n < end; n++)
            NAME(advance)(&s, &waves, n % 2, &s.sources, wavelets + (size_t)n * sources->n, RECORD, kept + (n - begin) * nodes,
                          NULL);
        for (int n = end; n > begin; n--)
            NAME(advance)(&s, &residuals, n % 2, &s.receivers, by_trace + (size_t)n * receivers->n, IMAGE,
                          kept + (n - 1 - begin) * nodes, image);
    }
    restore_denormals(mode);
    NAME(fold)(&s, velocity, image, gradient);
    free(kept);
    free(memory);
    NAME(close)(&s);
    return ACOUSTIC2D_OK;
}

#undef LANE
#undef LANES
#undef AT
#undef NEAR
#undef REAL
#undef INTEGER
#undef NAME
