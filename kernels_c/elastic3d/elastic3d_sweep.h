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
static void NAME(ghosts_of_stress)(const NAME(row) *r)
{
    REAL *const *f = r->field;
    const REAL ratio = f[LAMBDA][0] / (f[LAMBDA][0] + f[TWO_MU][0]);
    f[S00][0] -= ratio * f[S22][0];
    f[S11][0] -= ratio * f[S22][0];
    f[S22][0] = 0;
    for (int g = 0; g < ELASTIC3D_HALO; g++) {
        f[S22][-1 - g] = -f[S22][1 + g];
        f[S02][-1 - g] = -f[S02][g];
        f[S12][-1 - g] = -f[S12][g];
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

static void NAME(record)(const NAME(solver) *s, const elastic3d_taps *taps, double *traces, int i)
{
    for (int64_t e = taps->start[i]; e < taps->start[i + 1]; e++)
        traces[taps->column[e]] += taps->weight[e] * s->fields[taps->field[e] * s->plan->field + taps->offset[e]];
}

/* Velocities or stresses of rows [first, last) of a plane at one step. */
static void NAME(plane)(const NAME(solver) *s, const elastic3d_run *run, int64_t step, int i, int stage, int first, int last)
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
                NAME(ghosts_of_stress)(&r);
        }
}

/* Weighted sum of a shear strain around a place on nodes: `width` values of stress and rigidity a stride apart. */
static inline REAL NAME(half_way)(const REAL *stress, const REAL *mu, long stride, int width, const double *weights)
{
    REAL sum = 0;
    for (int w = 0; w < width; w++) {
        const REAL rigidity = mu[w * stride];
        if (rigidity > 0)
            sum += (REAL)weights[w] * stress[w * stride] / rigidity;
    }
    return sum;
}

/* What plane i gives to the strains of row y of a box, one sample of them at `out`. */
static void NAME(strains)(const NAME(solver) *s, const elastic3d_box *box, int i, int y, float *out)
{
    enum { WIDTH = 2 * ELASTIC3D_HALO };
    const elastic3d_plan *plan = s->plan;
    const int64_t nodes = (int64_t)box->count[0] * box->count[1] * box->count[2];
    const int j = box->first[1] + y * box->every;
    const NAME(row) r = NAME(row_at)(s, i, j, 0);
    const REAL dt = (REAL)box->dt, half_dt = dt / 2;
    for (int x = 0; x < box->count[0]; x++) {
        const int from = i - (box->first[0] + x * box->every); /* planes from the strains' own */
        if (from < -ELASTIC3D_HALO || from >= ELASTIC3D_HALO)
            continue;
        float *strain = out + ((int64_t)x * box->count[1] + y) * box->count[2];
        const REAL by_plane = half_dt * (REAL)box->half_way[from + ELASTIC3D_HALO];
        for (int z = 0; z < box->count[2]; z++) {
            const int k = box->first[2] + z * box->every;
            const long row = plan->row;
            strain[3 * nodes + z] += (float)(by_plane * NAME(half_way)(r.field[S01] + k - ELASTIC3D_HALO * row,
                                                                       r.field[MU01] + k - ELASTIC3D_HALO * row, row, WIDTH,
                                                                       box->half_way));
            strain[4 * nodes + z] += (float)(by_plane * NAME(half_way)(r.field[S02] + k - ELASTIC3D_HALO,
                                                                       r.field[MU02] + k - ELASTIC3D_HALO, 1, WIDTH,
                                                                       box->half_way));
            if (from != 0)
                continue;
            const REAL lambda = r.field[LAMBDA][k], two_mu = r.field[TWO_MU][k];
            const REAL mean = (r.field[S00][k] + r.field[S11][k] + r.field[S22][k]) / 3, change = dt * mean / (3 * lambda + two_mu);
            for (int c = 0; c < 3; c++)
                strain[c * nodes + z] = (float)(change + (two_mu > 0 ? dt * (r.field[S00 + c][k] - mean) / two_mu : 0));
            REAL sum = 0;
            for (int w = 0; w < WIDTH; w++)
                sum += (REAL)box->half_way[w] * NAME(half_way)(r.field[S12] + k - ELASTIC3D_HALO + (w - ELASTIC3D_HALO) * row,
                                                               r.field[MU12] + k - ELASTIC3D_HALO + (w - ELASTIC3D_HALO) * row, 1,
                                                               WIDTH, box->half_way);
            strain[5 * nodes + z] = (float)(half_dt * sum);
        }
    }
}

/* Everything that is wanted of a plane after a step; receivers are served by one thread, rows of the box by all. */
static void NAME(observe)(const NAME(solver) *s, const elastic3d_run *run, int64_t step, int64_t first, int i, int stage, int thread,
                          int threads)
{
    const elastic3d_box *box = run->box;
    if (stage == 0) {
        if (thread == 0)
            NAME(record)(s, &run->velocities, run->velocity_traces + step * run->velocities.columns, i);
        return;
    }
    if (step + 1 >= run->n_steps)
        return;
    if (thread == 0)
        NAME(record)(s, &run->stresses, run->stress_traces + (step + 1) * run->stresses.columns, i);
    if (!box || (step + 1) % box->sample)
        return;
    const int64_t sample = (step + 1) / box->sample - first / box->sample - 1;
    float *out = run->strains + sample * 6 * box->count[0] * box->count[1] * box->count[2];
    for (int y = thread; y < box->count[1]; y += threads)
        NAME(strains)(s, box, i, y, out);
}

/* One thread's part of the sweeps: its rows of every plane. */
static void NAME(sweep)(const NAME(solver) *s, const elastic3d_run *run, int64_t first, int64_t count, int together, int thread,
                        int threads)
{
    const int planes = s->plan->nodes[0], half = s->plan->half;
    const int begin = (int)((int64_t)s->plan->nodes[1] * thread / threads);
    const int end = (int)((int64_t)s->plan->nodes[1] * (thread + 1) / threads);
    for (int64_t base = first; base < first + count; base += together) {
        const int steps = (int)(first + count - base < together ? first + count - base : together);
        for (int p = 0; p < planes + (2 * steps - 1) * half; p++)
            for (int stage = 0; stage < 2 * steps; stage++) {
                const int i = p - stage * half;
                if (i < 0 || i >= planes)
                    continue;
                NAME(plane)(s, run, base + stage / 2, i, stage % 2, begin, end);
#pragma omp barrier
                NAME(observe)(s, run, base + stage / 2, first, i, stage % 2, thread, threads);
            }
#pragma omp barrier
    }
}

static int NAME(advance)(const elastic3d_plan *plan, REAL *fields, REAL *memories, const elastic3d_run *run, int64_t first,
                         int64_t count, int together, int threads)
{
    NAME(solver) s;
    if (NAME(open)(&s, plan, fields, memories))
        return 1;
#pragma omp parallel num_threads(threads)
    {
        const unsigned before = flush_denormals();
        NAME(sweep)(&s, run, first, count, together, thread_number(), thread_count());
        restore_denormals(before);
    }
    free(s.tables);
    return 0;
}

#undef LANE
#undef LANES
#undef AT
#undef REAL
#undef NAME
