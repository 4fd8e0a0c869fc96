/* Included by elastic3d.c after elastic3d_rows.h, with the same macros: planes of rows, sources, receivers, and the sweep. */

static int NAME(open)(NAME(solver) *s, const elastic3d_plan *plan, REAL *fields, REAL *memories)
{
    *s = (NAME(solver)){.plan = plan, .at = lay_out(plan), .fields = fields + plan->origin, .memories = memories};
    size_t size = 0;
    for (int a = 0; a < 3; a++)
        size += 4 * round_up(plan->nodes[a], ELASTIC3D_GROUP);
    REAL *table = s->tables = calloc(size, sizeof(REAL));
    if (!table)
        return 1;
    for (int a = 0; a < 3; a++) {
        const int n = plan->nodes[a];
        for (int m = 0; m < plan->half; m++)
            s->stencil[a][m] = (REAL)plan->stencil[a][m];
        for (int h = 0; h < 2; h++) {
            s->keep[a][h] = table, table += round_up(n, ELASTIC3D_GROUP);
            s->share[a][h] = table, table += round_up(n, ELASTIC3D_GROUP);
            for (int i = 0; i < n; i++) {
                s->keep[a][h][i] = (REAL)plan->keep[a][h * n + i];
                s->share[a][h][i] = (REAL)plan->share[a][h * n + i];
            }
        }
    }
    return 0;
}

/* Row j of plane i, for the derivatives of stresses (stage 0) or of velocities (stage 1). */
static inline NAME(row) NAME(row_at)(const NAME(solver) *s, int i, int j, int stage)
{
    const elastic3d_plan *plan = s->plan;
    const layout *at = &s->at;
    NAME(row) r;
    for (int f = 0; f < ELASTIC3D_FIELDS; f++)
        r.field[f] = s->fields + f * plan->field + i * plan->plane + j * plan->row;
    const int in[2] = {slab(plan, 0, i), slab(plan, 1, j)}, place[2] = {i, j};
    const int64_t within[3] = {((int64_t)in[0] * plan->nodes[1] + j) * at->length,
                               ((int64_t)i * at->wide[1] + in[1]) * at->length,
                               ((int64_t)i * plan->nodes[1] + j) * at->wide[2]};
    for (int a = 0; a < 3; a++)
        for (int c = 0; c < 3; c++)
            r.memory[a][c] = a < 2 && in[a] < 0 ? NULL : s->memories + at->begin[a] + (3 * stage + c) * at->slab[a] + within[a];
    for (int a = 0; a < 2; a++)
        for (int h = 0; h < 2; h++)
            r.keep[a][h] = s->keep[a][h][place[a]], r.share[a][h] = s->share[a][h][place[a]];
    return r;
}

/* Velocities above a free surface: in water the vertical one is even about it. */
static void NAME(ghosts_of_velocity)(const elastic3d_plan *plan, const NAME(row) *r)
{
    for (int f = V0; f <= V2; f++)
        for (int g = 0; g < ELASTIC3D_HALO; g++) {
            REAL sum = 0;
            for (int m = 0; m < ELASTIC3D_GHOST_NODES; m++)
                sum += (REAL)plan->ghost[g * ELASTIC3D_GHOST_NODES + m] * r->field[f][m];
            r->field[f][-1 - g] = f == V2 && r->field[TWO_MU][0] == 0 ? r->field[f][g] : sum;
        }
}

/* What s_22 = 0 on a free surface makes of the other stresses there, and their values above it. */
static void NAME(ghosts_of_stress)(const NAME(solver) *s, const NAME(row) *r)
{
    REAL *const *f = r->field;
    const REAL ratio = f[LAMBDA][0] / (f[LAMBDA][0] + f[TWO_MU][0]);
    f[S00][0] -= ratio * f[S22][0];
    f[S11][0] -= ratio * f[S22][0];
    f[S22][0] = 0;
    const int water = f[TWO_MU][0] == 0;
    for (int g = 0; g < ELASTIC3D_HALO; g++) {
        const double *near = s->plan->stress_ghost + 4 * g; /* weights of s_22 one and two nodes below, then of the shears */
        f[S22][-1 - g] = water ? -f[S22][1 + g] : (REAL)near[0] * f[S22][1] + (REAL)near[1] * f[S22][2];
        f[S02][-1 - g] = (REAL)near[2] * f[S02][0] + (REAL)near[3] * f[S02][1];
        f[S12][-1 - g] = (REAL)near[2] * f[S12][0] + (REAL)near[3] * f[S12][1];
    }
}

/* Shares of the amplitudes of one step that belong to rows [first, last) of a plane. */
static void NAME(inject)(const NAME(solver) *s, const elastic3d_taps *taps, const double *amplitudes, int i, int first, int last)
{
    const int64_t low = i * s->plan->plane + first * s->plan->row, high = i * s->plan->plane + last * s->plan->row;
    for (int64_t e = taps->start[i]; e < taps->start[i + 1]; e++)
        if (taps->offset[e] >= low && taps->offset[e] < high)
            s->fields[taps->field[e] * s->plan->field + taps->offset[e]] += (REAL)(taps->weight[e] * amplitudes[taps->column[e]]);
}

/* Parts of the traces that rows [first, last) of a plane give, each kept by itself: tiles come in any order, sums do not. */
static void NAME(record)(const NAME(solver) *s, const elastic3d_taps *taps, double *parts, int i, int first, int last)
{
    const int64_t low = i * s->plan->plane + first * s->plan->row, high = i * s->plan->plane + last * s->plan->row;
    for (int64_t e = taps->start[i]; e < taps->start[i + 1]; e++)
        if (taps->offset[e] >= low && taps->offset[e] < high)
            parts[e] = taps->weight[e] * s->fields[taps->field[e] * s->plan->field + taps->offset[e]];
}

/* Velocities or stresses of rows [first, last) of a plane at one step. */
static void NAME(plane)(const NAME(solver) *s, const elastic3d_run *run, int64_t step, int i, int stage, int first, int last,
                        double *parts)
{
    for (int j = first; j < last; j++) {
        const NAME(row) r = NAME(row_at)(s, i, j, stage);
        const int layers = r.memory[0][0] || r.memory[1][0];
        if (stage == 0)
            (s->plan->half == 2 ? layers ? NAME(velocity_layers_2) : NAME(velocity_inside_2)
             : layers           ? NAME(velocity_layers_4)
                                : NAME(velocity_inside_4))(s, &r);
        else
            (s->plan->half == 2 ? layers ? NAME(stress_layers_2) : NAME(stress_inside_2)
             : layers           ? NAME(stress_layers_4)
                                : NAME(stress_inside_4))(s, &r);
    }
    const elastic3d_taps *taps = stage == 0 ? &run->forces : &run->moments;
    NAME(inject)(s, taps, (stage == 0 ? run->force_amplitudes : run->moment_amplitudes) + step * taps->columns, i, first, last);
    if (s->plan->free_surface)
        for (int j = first; j < last; j++) {
            const NAME(row) r = NAME(row_at)(s, i, j, stage);
            if (stage == 0)
                NAME(ghosts_of_velocity)(s->plan, &r);
            else
                NAME(ghosts_of_stress)(s, &r);
        }
    NAME(record)(s, stage == 0 ? &run->velocities : &run->stresses, parts, i, first, last);
}

/* Weighted sum of a shear strain around a place on nodes: values of stress over twice the rigidity along two axes. Along the second
 * there are `depth` nodes before the place; those beyond are behind a free surface, where shear strain is odd. */
static REAL NAME(half_way)(const REAL *stress, const REAL *mu, long first, long second, long depth, const double *weights)
{
    enum { WIDTH = 2 * ELASTIC3D_HALO };
    REAL sum = 0;
    for (int u = 0; u < WIDTH; u++)
        for (int w = 0; w < WIDTH; w++) {
            const long step = w - ELASTIC3D_HALO, above = depth + step < 0;
            const long at = (u - ELASTIC3D_HALO) * first + (above ? -1 - step - 2 * depth : step) * second;
            if (mu[at] > 0)
                sum += (REAL)(weights[u] * weights[w] / (above ? -2 : 2)) * stress[at] / mu[at];
        }
    return sum;
}

static void NAME(strains)(const elastic3d_plan *plan, const REAL *fields, const elastic3d_box *box, float *strains, int threads)
{
    const int64_t nodes = (int64_t)box->count[0] * box->count[1] * box->count[2];
    const REAL dt = (REAL)box->dt;
#pragma omp parallel for num_threads(threads)
    for (int64_t n = 0; n < nodes; n++) {
        const int64_t x = n / box->count[2] / box->count[1], y = n / box->count[2] % box->count[1], z = n % box->count[2];
        const REAL *at = fields + plan->origin + (box->first[0] + x * box->every) * plan->plane +
                         (box->first[1] + y * box->every) * plan->row + box->first[2] + z * box->every;
        const REAL *f[ELASTIC3D_FIELDS];
        for (int k = 0; k < ELASTIC3D_FIELDS; k++)
            f[k] = at + k * plan->field;
        const long depth = plan->free_surface ? box->first[2] + z * box->every : ELASTIC3D_HALO;
        const REAL mean = (*f[S00] + *f[S11] + *f[S22]) / 3, change = dt * mean / (3 * *f[LAMBDA] + *f[TWO_MU]);
        for (int c = 0; c < 3; c++)
            strains[c * nodes + n] = (float)(change + (*f[TWO_MU] > 0 ? dt * (*f[S00 + c] - mean) / *f[TWO_MU] : 0));
        strains[3 * nodes + n] = (float)(dt * NAME(half_way)(f[S01], f[MU01], plan->plane, plan->row, ELASTIC3D_HALO, box->half_way));
        strains[4 * nodes + n] = (float)(dt * NAME(half_way)(f[S02], f[MU02], plan->plane, 1, depth, box->half_way));
        strains[5 * nodes + n] = (float)(dt * NAME(half_way)(f[S12], f[MU12], plan->row, 1, depth, box->half_way));
    }
}

/* One thread's tiles of a sweep of several time steps. The rows of a tile are `half` fewer with each stage, so that what it needs of
 * its neighbours is there: of the tile before, if that is as far, and still as old as it should be; of the one behind nothing. */
static void NAME(sweep)(const NAME(solver) *s, const elastic3d_run *run, int64_t base, int steps, int tile, double *parts,
                        _Atomic int *positions, int thread, int threads)
{
    const int planes = s->plan->nodes[0], rows = s->plan->nodes[1], half = s->plan->half;
    const int64_t of_velocity = run->velocities.start[planes], of_stress = run->stresses.start[planes];
    for (int t = thread; t * tile < rows; t += threads)
        for (int p = 0; p < planes + (2 * steps - 1) * half; p++) {
            while (t > 0 && atomic_load_explicit(&positions[t - 1], memory_order_acquire) <= p)
                sched_yield();
            for (int stage = 0; stage < 2 * steps; stage++) {
                const int i = p - stage * half, low = t * tile - stage * half;
                const int high = (t + 1) * tile >= rows ? rows : low + tile;
                if (i >= 0 && i < planes)
                    NAME(plane)(s, run, base + stage / 2, i, stage % 2, low > 0 ? low : 0, high,
                                parts + stage / 2 * (of_velocity + of_stress) + (stage % 2 ? of_velocity : 0));
            }
            atomic_store_explicit(&positions[t], p + 1, memory_order_release);
        }
}

static int NAME(advance)(const elastic3d_plan *plan, REAL *fields, REAL *memories, const elastic3d_run *run, int64_t first,
                         int64_t count, int together, int tile, int threads)
{
    NAME(solver) s;
    const int64_t of_velocity = run->velocities.start[plan->nodes[0]], of_stress = run->stresses.start[plan->nodes[0]];
    double *parts = malloc((together * (of_velocity + of_stress) + 1) * sizeof(double));
    const int tiles = (plan->nodes[1] + tile - 1) / tile;
    _Atomic int *positions = calloc(tiles, sizeof(_Atomic int));
    const int failed = NAME(open)(&s, plan, fields, memories) || !parts || !positions;
#pragma omp parallel num_threads(threads) if (!failed)
    for (int64_t base = first; base < first + count && !failed; base += together) {
        const unsigned before = flush_denormals();
        const int steps = (int)(first + count - base < together ? first + count - base : together);
        NAME(sweep)(&s, run, base, steps, tile, parts, positions, thread_number(), thread_count());
#pragma omp barrier
#pragma omp single
        {
            for (int t = 0; t < tiles; t++)
                atomic_init(&positions[t], 0);
            for (int t = 0; t < steps; t++) {
                const double *part = parts + t * (of_velocity + of_stress);
                add_up(&run->velocities, part, of_velocity, run->velocity_traces + (base + t) * run->velocities.columns);
                if (base + t + 1 < run->n_steps)
                    add_up(&run->stresses, part + of_velocity, of_stress, run->stress_traces + (base + t + 1) * run->stresses.columns);
            }
        }
        restore_denormals(before);
    }
    free(positions);
    free(parts);
    free(s.tables);
    return failed;
}

#undef LANE
#undef LANES
#undef AT
#undef REAL
#undef NAME
