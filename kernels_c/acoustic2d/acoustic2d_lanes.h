/* Included by acoustic2d.c once for each precision and instruction set, with REAL, LANE_BYTES and NAME defined.
 * See acoustic2d.h for the scheme. */

typedef REAL NAME(lane) __attribute__((vector_size(LANE_BYTES), aligned(LANE_BYTES)));
typedef REAL NAME(loose) __attribute__((vector_size(LANE_BYTES), aligned(sizeof(REAL)), may_alias));
#define LANE NAME(lane)
#define LANES ((int)(LANE_BYTES / sizeof(REAL)))
#define AT(p) (*(LANE *)(p))              /* aligned */
#define NEAR(p) ((LANE)(*(const NAME(loose) *)(p))) /* not aligned */

/* Columns in [first, last), multiples of COLUMN_GROUP, where a layer or its stencils reach; and rows likewise. */
typedef struct {
    int first, last;
} NAME(range);

/* The memory variables live in zones: those of columns left and right, [rows][zone width], those of rows above and below. */
typedef struct {
    NAME(range) left, right, above, below;
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

typedef struct {
    const acoustic2d_plan *plan;
    NAME(layout) at;
    REAL stencil_z[HALO + 1], stencil_x[HALO + 1], staggered_z[2], staggered_x[2];
    REAL *courant2;                                   /* (v dt)^2 / ((1 + Dx)(1 + Dz)) by row and column, no halo */
    REAL *damping_x, *new_x, *old_x, *decay_x, *share_x; /* D, 1 / (1 + D), (1 - D) / (1 + D); of half points b, a / 2 */
    REAL *damping_z, *new_z, *old_z, *decay_z, *share_z;
    REAL *flux_x, *flux_z_above, *flux_z_below;       /* (1 / s - 1) d u of one row; of all rows of a zone */
    void *memory;
} NAME(solver);

static NAME(layout) NAME(lay_out)(const acoustic2d_plan *plan)
{
    const int rows = plan->top + plan->model_rows + plan->layer, columns = plan->model_columns + 2 * plan->layer;
    const int end = round_up(columns, COLUMN_GROUP), reach = plan->layer + STAGGERED_REACH;
    NAME(layout) at = {.rows = rows, .stride = MARGIN + end};
    if (at.stride * sizeof(REAL) % 1024 == 0)
        at.stride += COLUMN_GROUP; /* or rows fall on the same lines of the first cache */
    at.left = (NAME(range)){0, round_up(reach, COLUMN_GROUP)};
    at.right = (NAME(range)){(columns - reach) / COLUMN_GROUP * COLUMN_GROUP, end};
    if (at.left.last >= at.right.first)
        at.left.last = at.right.first = end;
    at.above = (NAME(range)){0, plan->top ? reach : 0};
    at.below = (NAME(range)){rows - reach, rows};
    if (at.above.last >= at.below.first)
        at.above.last = at.below.first = rows;
    at.zone_width = at.left.last + end - at.right.first;
    at.zone_rows = at.above.last + rows - at.below.first;
    at.field = (size_t)round_up((rows + 2 * HALO) * at.stride + MARGIN, COLUMN_GROUP);
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

/* Everything that does not change from step to step. */
static int NAME(open)(NAME(solver) *s, const acoustic2d_plan *plan, const double *velocity)
{
    const NAME(layout) at = NAME(lay_out)(plan);
    const size_t row = at.stride, rows = round_up(at.rows, COLUMN_GROUP);
    const size_t flux_above = (at.above.last + 2 * STAGGERED_REACH) * row;
    const size_t flux_below = (at.rows - at.below.first + 2 * STAGGERED_REACH) * row;
    const size_t size = at.rows * row + 5 * row + 5 * rows + (2 * MARGIN + row) + flux_above + flux_below;
    memset(s, 0, sizeof *s);
    s->plan = plan;
    s->at = at;
    s->memory = allocate_zeros(size * sizeof(REAL));
    if (!s->memory)
        return ACOUSTIC2D_NO_MEMORY;
    REAL *free = s->memory;
    s->courant2 = free, free += at.rows * row;
    REAL **by_column[5] = {&s->damping_x, &s->new_x, &s->old_x, &s->decay_x, &s->share_x};
    REAL **by_row[5] = {&s->damping_z, &s->new_z, &s->old_z, &s->decay_z, &s->share_z};
    for (int i = 0; i < 5; i++) {
        *by_column[i] = free, free += row;
        *by_row[i] = free, free += rows;
    }
    s->flux_x = free + MARGIN, free += 2 * MARGIN + row;
    s->flux_z_above = free + STAGGERED_REACH * row, free += flux_above;
    s->flux_z_below = free + STAGGERED_REACH * row;

    for (int k = 0; k <= plan->half; k++) {
        s->stencil_z[k] = (REAL)plan->stencil_z[k];
        s->stencil_x[k] = (REAL)plan->stencil_x[k];
    }
    for (int k = 0; k < 2; k++) {
        s->staggered_z[k] = (REAL)plan->staggered_z[k];
        s->staggered_x[k] = (REAL)plan->staggered_x[k];
    }
    const int columns = plan->model_columns + 2 * plan->layer;
    for (int j = 0; j < at.stride; j++) {
        const double d = j < columns ? plan->damping_x[j] : 0, half = j < columns ? plan->damping_x_half[j] : 0;
        s->damping_x[j] = (REAL)d, s->new_x[j] = (REAL)(1 / (1 + d)), s->old_x[j] = (REAL)((1 - d) / (1 + d));
        s->decay_x[j] = (REAL)((1 - half) / (1 + half)), s->share_x[j] = (REAL)(-half / (1 + half));
    }
    for (int r = 0; r < at.rows; r++) {
        const double d = plan->damping_z[r], half = plan->damping_z_half[r];
        s->damping_z[r] = (REAL)d, s->new_z[r] = (REAL)(1 / (1 + d)), s->old_z[r] = (REAL)((1 - d) / (1 + d));
        s->decay_z[r] = (REAL)((1 - half) / (1 + half)), s->share_z[r] = (REAL)(-half / (1 + half));
        if (r == 0 && plan->free_surface)
            continue; /* u = 0 stays */
        for (int j = 0; j < columns; j++) {
            const double step = velocity[model_node(plan, r, j)] * plan->dt;
            s->courant2[r * row + j] = (REAL)(step * step / ((1 + d) * (1 + plan->damping_x[j])));
        }
    }
    return ACOUSTIC2D_OK;
}

/* Second derivative along one axis; `stride` is 1 or that of rows. */
static inline __attribute__((always_inline)) LANE NAME(second)(const REAL *p, long stride, const REAL *stencil, int half)
{
    LANE sum = stencil[0] * AT(p);
    for (int k = 1; k <= half; k++)
        sum += stencil[k] * (NEAR(p + k * stride) + NEAR(p - k * stride));
    return sum;
}

/* First derivative half a spacing further, or with p one node back, half a spacing before. */
static inline __attribute__((always_inline)) LANE NAME(first)(const REAL *p, long stride, const REAL *staggered)
{
    return staggered[0] * (NEAR(p + stride) - AT(p)) + staggered[1] * (NEAR(p + 2 * stride) - NEAR(p - stride));
}

static inline __attribute__((always_inline)) LANE NAME(first_of_flux)(const REAL *p, long stride, const REAL *staggered)
{
    return staggered[0] * (AT(p) - NEAR(p - stride)) + staggered[1] * (NEAR(p + stride) - NEAR(p - 2 * stride));
}

/* (1 / s_z - 1) d_z u half a spacing below the rows of a zone. */
static inline __attribute__((always_inline)) void NAME(flux_z)(const NAME(solver) *s, const REAL *u, NAME(range) zone,
                                                              REAL *p, REAL *flux)
{
    const int stride = s->at.stride, end = s->at.right.last;
    for (int r = zone.first; r < zone.last; r++, p += stride, flux += stride) {
        const REAL decay = s->decay_z[r], share = s->share_z[r];
        for (int j = 0; j < end; j += LANES) {
            const LANE old = AT(p + j), new = decay * old + NAME(first)(u + (long)r * stride + j, stride, s->staggered_z);
            AT(flux + j) = share * (new + old);
            AT(p + j) = new;
        }
    }
}

/* (1 / s_x - 1) d_x u half a spacing right of the columns of a zone, on one row. */
static inline __attribute__((always_inline)) void NAME(flux_x)(const NAME(solver) *s, const REAL *u, NAME(range) zone, REAL *p)
{
    for (int j = zone.first; j < zone.last; j += LANES) {
        REAL *memory = p + j - zone.first;
        const LANE old = AT(memory), new = AT(s->decay_x + j) * old + NAME(first)(u + j, 1, s->staggered_x);
        AT(s->flux_x + j) = AT(s->share_x + j) * (new + old);
        AT(memory) = new;
    }
    AT(s->flux_x + zone.last) = (LANE){0};
    AT(s->flux_x + zone.first - LANES) = (LANE){0};
}

/* Part of a row where a layer is: columns of `zone`, which is a column zone if in_x. `flux` and `sum_x` are those of the row
 * zone if in_z, `p_x` and `sum_z` those of the column zone if in_x. */
static inline __attribute__((always_inline)) void NAME(layer_row)(const NAME(solver) *s, const REAL *u, REAL *u_old, int r,
                                                                 NAME(range) zone, int half, int mode, int in_x, int in_z,
                                                                 REAL *p_x, REAL *sum_z, const REAL *flux, REAL *sum_x,
                                                                 REAL *source, REAL *image)
{
    const long stride = s->at.stride;
    const REAL d_z = s->damping_z[r], new_z = s->new_z[r], old_z = s->old_z[r];
    const REAL *courant2 = s->courant2 + r * stride;
    if (in_x)
        NAME(flux_x)(s, u, zone, p_x);
    for (int j = zone.first; j < zone.last; j += LANES) {
        LANE x = NAME(second)(u + j, 1, s->stencil_x, half), z = NAME(second)(u + j, stride, s->stencil_z, half);
        if (in_x)
            x += NAME(first_of_flux)(s->flux_x + j, 1, s->staggered_x);
        if (in_z)
            z += NAME(first_of_flux)(flux + j, stride, s->staggered_z);
        LANE q = x + z, now = 2 * AT(u + j), old = AT(u_old + j);
        if (in_x) {
            REAL *memory = sum_z + j - zone.first;
            const LANE before = AT(memory), after = before + z, d_x = AT(s->damping_x + j);
            AT(memory) = after;
            q += d_x * (after + before);
            old *= AT(s->old_x + j);
            now *= AT(s->new_x + j) * (in_z ? 1 - d_x * d_z : (LANE){0} + 1);
        }
        if (in_z) {
            const LANE before = AT(sum_x + j), after = before + x;
            AT(sum_x + j) = after;
            q += d_z * (after + before);
            old *= old_z;
            now *= new_z;
        }
        const LANE new = now - old + AT(courant2 + j) * q;
        AT(u_old + j) = new;
        if (mode == RECORD)
            AT(source + j) = q;
        if (mode == IMAGE)
            AT(image + j) += new * AT(source + j);
    }
}

/* A whole row of a row zone, or the column zones of one between them. */
static inline __attribute__((always_inline)) void NAME(layers_of_row)(const NAME(solver) *s, NAME(state) *w, int now, int r,
                                                                     int half, int mode, int in_z, REAL *source, REAL *image)
{
    const NAME(layout) *at = &s->at;
    const long shift = (long)r * at->stride;
    const REAL *u = w->u[now] + shift;
    REAL *u_old = w->u[!now] + shift;
    source += shift, image += shift;
    const int below = r >= at->below.first;
    const long zone_row = below ? at->above.last + r - at->below.first : r;
    const REAL *flux = below ? s->flux_z_below + (long)(r - at->below.first) * at->stride : s->flux_z_above + r * at->stride;
    REAL *sum_x = w->sum_x + zone_row * at->stride, *p_x = w->p_x + (long)r * at->zone_width;
    REAL *sum_z = w->sum_z + (long)r * at->zone_width;
    NAME(layer_row)(s, u, u_old, r, at->left, half, mode, 1, in_z, p_x, sum_z, flux, sum_x, source, image);
    if (in_z)
        NAME(layer_row)(s, u, u_old, r, (NAME(range)){at->left.last, at->right.first}, half, mode, 0, 1, NULL, NULL, flux,
                        sum_x, source, image);
    const int width = at->left.last;
    NAME(layer_row)(s, u, u_old, r, at->right, half, mode, 1, in_z, p_x + width, sum_z + width, flux, sum_x, source, image);
}

/* `block` rows between all layers, side by side: a column of lanes is loaded once for all of them. */
static inline __attribute__((always_inline)) void NAME(interior)(const NAME(solver) *s, const REAL *restrict u,
                                                                REAL *restrict u_old, int r, int block, int half, int mode,
                                                                REAL *restrict source, REAL *restrict image)
{
    const long stride = s->at.stride;
    const REAL *courant2 = s->courant2 + r * stride;
    REAL z[HALO + 1], x[HALO + 1];
    for (int k = 0; k <= half; k++) {
        z[k] = s->stencil_z[k];
        x[k] = s->stencil_x[k];
    }
    const REAL centre = z[0] + x[0];
    for (int j = s->at.left.last; j < s->at.right.first; j += LANES) {
        LANE column[MOST_ROWS + 2 * HALO];
#pragma GCC unroll 16
        for (int i = 0; i < block + 2 * half; i++)
            column[i] = AT(u + (i - half) * stride + j);
#pragma GCC unroll 8
        for (int i = 0; i < block; i++) {
            const REAL *p = u + i * stride + j;
            const LANE here = column[i + half];
            LANE along_z = centre * here, along_x = (LANE){0};
#pragma GCC unroll 4
            for (int k = 1; k <= half; k++) {
                along_z += z[k] * (column[i + half + k] + column[i + half - k]);
                along_x += x[k] * (AFTER(p, k) + BEFORE(p, k));
            }
            const LANE q = along_z + along_x;
            const long o = i * stride + j;
            const LANE new = 2 * here - AT(u_old + o) + AT(courant2 + o) * q;
            AT(u_old + o) = new;
            if (mode == RECORD)
                AT(source + o) = q;
            if (mode == IMAGE)
                AT(image + o) += new * AT(source + o);
        }
    }
}

/* The layers of rows in [first, last): whole rows of a row zone, or the column zones of rows between. */
static void NAME(layers)(const NAME(solver) *s, NAME(state) *w, int now, int first, int last, int in_z, int mode, REAL *source,
                         REAL *image)
{
    for (int r = first; r < last; r++) {
        switch (2 * s->plan->half + in_z) {
#define CASE(half, in_z)                                                                         \
    case 2 * half + in_z:                                                                        \
        NAME(layers_of_row)(s, w, now, r, half, mode, in_z, source, image); \
        break;
            CASE(1, 0) CASE(1, 1) CASE(2, 0) CASE(2, 1) CASE(3, 0) CASE(3, 1) CASE(4, 0) CASE(4, 1)
#undef CASE
        }
    }
}

/* ROWS rows between all layers, or one. */
static void NAME(rows_between)(const NAME(solver) *s, NAME(state) *w, int now, int r, int block, int mode, REAL *source,
                               REAL *image)
{
    const long shift = (long)r * s->at.stride;
    const REAL *u = w->u[now] + shift;
    REAL *u_old = w->u[!now] + shift;
    source += shift, image += shift;
    switch (8 * mode + 2 * (s->plan->half - 1) + (block == ROWS)) {
#define CASE(mode, half)                                                                  \
    case 8 * mode + 2 * (half - 1):                                                       \
        NAME(interior)(s, u, u_old, r, 1, half, mode, source, image);                     \
        break;                                                                            \
    case 8 * mode + 2 * (half - 1) + 1:                                                   \
        NAME(interior)(s, u, u_old, r, ROWS, half, mode, source, image);                  \
        break;
#define CASES(mode) CASE(mode, 1) CASE(mode, 2) CASE(mode, 3) CASE(mode, 4)
        CASES(ADVANCE)
        CASES(RECORD)
        CASES(IMAGE)
#undef CASES
#undef CASE
    }
}

/* One step: u[!now] goes from the time before `now` to the time after. RECORD keeps q in `source`; IMAGE adds the new
 * waves times `source` to `image`. */
static void NAME(step)(const NAME(solver) *s, NAME(state) *w, int now, int mode, REAL *source, REAL *image)
{
    const NAME(layout) *at = &s->at;
    NAME(flux_z)(s, w->u[now], at->above, w->p_z, s->flux_z_above);
    NAME(flux_z)(s, w->u[now], at->below, w->p_z + (long)at->above.last * at->stride, s->flux_z_below);
    NAME(layers)(s, w, now, 0, at->above.last, 1, mode, source, image);
    for (int r = at->above.last, block; r < at->below.first; r += block) {
        block = r + ROWS <= at->below.first ? ROWS : 1;
        NAME(layers)(s, w, now, r, r + block, 0, mode, source, image);
        NAME(rows_between)(s, w, now, r, block, mode, source, image);
    }
    NAME(layers)(s, w, now, at->below.first, at->rows, 1, mode, source, image);
}

/* Add sources of one time to u, the waves after it; and what they add to the q kept, or to the image. */
static void NAME(inject)(const NAME(solver) *s, const acoustic2d_points *points, const REAL *amplitude, REAL *u, int mode,
                         REAL *source, REAL *image)
{
    for (int k = 0; k < points->n; k++)
        for (int e = points->start[k]; e < points->start[k + 1]; e++) {
            const long node = (long)points->row[e] * s->at.stride + points->column[e];
            const REAL q = (REAL)points->weight[e] * amplitude[k], change = s->courant2[node] * q;
            u[node] += change;
            if (mode == RECORD)
                source[node] += q;
            if (mode == IMAGE)
                image[node] += change * source[node];
        }
}

static void NAME(record)(const NAME(solver) *s, const acoustic2d_points *points, const REAL *u, REAL *trace)
{
    for (int k = 0; k < points->n; k++) {
        REAL sum = 0;
        for (int e = points->start[k]; e < points->start[k + 1]; e++)
            sum += (REAL)points->weight[e] * u[(long)points->row[e] * s->at.stride + points->column[e]];
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
static void NAME(advance)(const NAME(solver) *s, NAME(state) *w, int now, const acoustic2d_points *points,
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
    int status = NAME(open)(&s, plan, velocity);
    const size_t size = NAME(state_size)(&s.at) * sizeof(REAL);
    REAL *block = status ? NULL : allocate_zeros(size);
    if (!block) {
        free(s.memory);
        return ACOUSTIC2D_NO_MEMORY;
    }
    NAME(state) w = NAME(state_in)(&s.at, block);
    const unsigned mode = flush_denormals();
    for (int n = 0; n < plan->n_steps; n++) {
        if (tape && n % every == 0)
            memcpy((char *)tape + n / every * size, w.block, size);
        NAME(record)(&s, receivers, w.u[n % 2], traces + (size_t)n * receivers->n);
        if (n < plan->n_steps - 1)
            NAME(advance)(&s, &w, n % 2, sources, wavelets + (size_t)n * sources->n, ADVANCE, NULL, NULL);
    }
    restore_denormals(mode);
    free(block);
    free(s.memory);
    return ACOUSTIC2D_OK;
}

/* The image by node of the model: what the layers add goes to the nearest node. */
static void NAME(fold)(const NAME(solver) *s, const double *velocity, const REAL *image, double *gradient)
{
    const acoustic2d_plan *plan = s->plan;
    const int columns = plan->model_columns + 2 * plan->layer;
    memset(gradient, 0, sizeof(double) * plan->model_rows * plan->model_columns);
    for (int r = 0; r < s->at.rows; r++)
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
    int status = NAME(open)(&s, plan, velocity);
    const size_t state = NAME(state_size)(&s.at), nodes = (size_t)s.at.rows * s.at.stride;
    REAL *memory = status ? NULL : allocate_zeros((2 * state + (1 + (size_t)every) * nodes) * sizeof(REAL));
    if (!memory) {
        free(s.memory);
        return ACOUSTIC2D_NO_MEMORY;
    }
    NAME(state) waves = NAME(state_in)(&s.at, memory), residuals = NAME(state_in)(&s.at, memory + state);
    REAL *image = memory + 2 * state, *kept = image + nodes;
    const unsigned mode = flush_denormals();
    const int last = plan->n_steps - 1;
    for (int part = (last - 1) / every; part >= 0 && last > 0; part--) {
        const int begin = part * every, end = begin + every < last ? begin + every : last;
        memcpy(waves.block, (const char *)tape + part * state * sizeof(REAL), state * sizeof(REAL));
        for (int n = begin; n < end; n++)
            NAME(advance)(&s, &waves, n % 2, sources, wavelets + (size_t)n * sources->n, RECORD, kept + (n - begin) * nodes,
                          NULL);
        for (int n = end; n > begin; n--)
            NAME(advance)(&s, &residuals, n % 2, receivers, by_trace + (size_t)n * receivers->n, IMAGE,
                          kept + (n - 1 - begin) * nodes, image);
    }
    restore_denormals(mode);
    NAME(fold)(&s, velocity, image, gradient);
    free(memory);
    free(s.memory);
    return ACOUSTIC2D_OK;
}

#undef LANE
#undef LANES
#undef AT
#undef NEAR
