/* The schemes of edt.h for one width of SIMD register. Included by edt.c once per instruction set, which defines LANE_BYTES,
 * NAME(x), and on lanes GUESS(x), 1/sqrt(x) to 11 bits or more, and SMALLER(x, y). */

typedef double NAME(lane) __attribute__((vector_size(LANE_BYTES), aligned(LANE_BYTES)));
typedef int64_t NAME(index) __attribute__((vector_size(LANE_BYTES), aligned(LANE_BYTES)));
#define LANE NAME(lane)
#define INDEX NAME(index)
#define LANES ((int)(LANE_BYTES / sizeof(double)))

static inline LANE NAME(all)(double x) { return x - (LANE){0}; }

static inline double NAME(sum)(LANE x)
{
    double sum = 0;
    for (int l = 0; l < LANES; l++)
        sum += x[l];
    return sum;
}

/* 1/sqrt(s): the series of (1 - e)^(-1/2) about the guess. */
static inline LANE NAME(inverse_root)(LANE s)
{
    const LANE y = GUESS(s), e = 1 - s * y * y;
    return y + y * e * (1.0 / 2 + e * (3.0 / 8 + e * (5.0 / 16 + e * (35.0 / 128))));
}

/* 2^-z for |z| < 1000: the interpolant of 2^-f in the Chebyshev nodes of |f| < 1/2 (3e-16), and z - f in the exponent. */
static inline LANE NAME(power_of_half)(LANE z)
{
    const double in_low_bits = 0x1.8p52; /* added to a number, leaves it as an integer in the lowest bits */
    const LANE whole = z + in_low_bits, f = z - (whole - in_low_bits);
    const LANE power = 1 + f * (-0x1.62e42fefa3a19p-1 + f * (0x1.ebfbdff82c598p-3 + f * (-0x1.c6b08d703ce49p-5
        + f * (0x1.3b2ab6fba1ddap-7 + f * (-0x1.5d87fe9d7a584p-10 + f * (0x1.430913096fd9fp-13 + f * (-0x1.ffcb54062e698p-17
        + f * (0x1.62bfd47773353p-20 + f * (-0x1.b675bca4eeebbp-24 + f * 0x1.e6063f7217bc6p-28)))))))));
    return (LANE)((INDEX)power - ((INDEX)whole << 52));
}

/* Direct sum */

/* With variances times ln(2), exp(-d^2 / (v_a + v_b)) is a power of two: that of -d^2 over their sum. */
typedef struct {
    LANE residual, scaled_variance, by_residual, by_variance;
} NAME(pick);

/* Exponent of the closest pair. */
static LANE NAME(least_exponent)(int n, const NAME(pick) *picks)
{
    LANE least = NAME(all)(HUGE_VAL);
    for (int a = 0; a < n; a++)
        for (int b = a + 1; b < n; b++) {
            const LANE d = picks[a].residual - picks[b].residual;
            const LANE y = NAME(inverse_root)(picks[a].scaled_variance + picks[b].scaled_variance);
            least = SMALLER(least, d * d * (y * y));
        }
    return least;
}

/* 2^shift ln(2)^(-1/2) S, and its gradient but for a factor of -2 ln(2) by residual and ln(2) by variance. */
static LANE NAME(sum_pairs)(int n, NAME(pick) *picks, const double *weight, LANE shift)
{
    const LANE most = NAME(all)(MOST_EXPONENT);
    LANE total = NAME(all)(0);
    for (int a = 0; a < n; a++)
        picks[a].by_residual = picks[a].by_variance = NAME(all)(0);
    for (int a = 0; a < n; a++) {
        const LANE residual = picks[a].residual, variance = picks[a].scaled_variance;
        LANE by_residual = picks[a].by_residual, by_variance = picks[a].by_variance;
        for (int b = a + 1; b < n; b++) {
            NAME(pick) *other = picks + b;
            const LANE d = residual - other->residual, y = NAME(inverse_root)(variance + other->scaled_variance);
            const LANE y2 = y * y, z = d * d * y2;
            const LANE term = weight[a] * weight[b] * y * NAME(power_of_half)(SMALLER(z - shift, most));
            const LANE slope = term * y2, by_d = slope * d, by_v = slope * (LN2 * z - 0.5);
            total += term;
            by_residual += by_d;
            other->by_residual -= by_d;
            by_variance += by_v;
            other->by_variance += by_v;
        }
        picks[a].by_residual = by_residual;
        picks[a].by_variance = by_variance;
    }
    return total;
}

/* Particles that are evaluated together, LANES or fewer; idle lanes repeat the last. */
typedef struct {
    int n;
    int64_t particle[LANES];
} NAME(group);

static inline LANE NAME(gather)(const double *array, edt_strides strides, const NAME(group) *group, int64_t pick)
{
    LANE values;
    for (int l = 0; l < LANES; l++)
        values[l] = *at(array, strides, group->particle[l < group->n ? l : group->n - 1], pick);
    return values;
}

static inline void NAME(scatter)(LANE values, double *array, edt_strides strides, const NAME(group) *group, int64_t pick)
{
    for (int l = 0; l < group->n; l++)
        *at(array, strides, group->particle[l], pick) = values[l];
}

/* All pairs of one event. */
static void NAME(direct)(const edt_batch *batch, int64_t event, const NAME(group) *group, NAME(pick) *picks)
{
    const int64_t start = batch->start[event];
    const int n = (int)(batch->start[event + 1] - start);
    const double *weight = batch->weight + start;
    for (int a = 0; a < n; a++) {
        picks[a].residual = NAME(gather)(batch->residual, batch->residual_strides, group, start + a);
        picks[a].scaled_variance = LN2 * NAME(gather)(batch->variance, batch->variance_strides, group, start + a);
    }

    LANE shift = NAME(all)(0), total = NAME(sum_pairs)(n, picks, weight, shift);
    int any_tiny = 0;
    for (int l = 0; l < LANES; l++)
        any_tiny |= total[l] < TINY;
    if (any_tiny) { /* lanes that are not repeat their sum with a shift of zero, to the same bits */
        const LANE least = NAME(least_exponent)(n, picks);
        for (int l = 0; l < LANES; l++)
            shift[l] = total[l] < TINY ? least[l] : 0;
        total = NAME(sum_pairs)(n, picks, weight, shift);
    }

    const LANE inverse = 1 / total;
    for (int l = 0; l < group->n; l++)
        batch->log_sum[group->particle[l] * batch->n_events + event] = log(ROOT_LN2 * total[l]) - LN2 * shift[l];
    for (int a = 0; a < n; a++) {
        const edt_strides strides = batch->gradient_strides;
        NAME(scatter)(-2 * LN2 * inverse * picks[a].by_residual, batch->by_residual, strides, group, start + a);
        NAME(scatter)(LN2 * inverse * picks[a].by_variance, batch->by_variance, strides, group, start + a);
    }
}

/* Grid */

/* A Gaussian on LANES neighbouring nodes, its ratio to that on the LANES before, and the ratio of successive ratios. */
typedef struct {
    LANE value, ratio, change;
} NAME(wave);

static inline LANE NAME(nodes_from)(double first, double step)
{
    LANE x;
    for (int l = 0; l < LANES; l++)
        x[l] = first + l * step;
    return x;
}

static inline NAME(wave) NAME(wave_from)(LANE x, double step, double variance)
{
    const double leap = LANES * step, inverse = LOG2_E / variance;
    return (NAME(wave)){NAME(power_of_half)(x * x * inverse), NAME(power_of_half)((2 * x + leap) * leap * inverse),
                        NAME(power_of_half)(NAME(all)(2 * leap * leap * inverse))};
}

static inline void NAME(advance)(NAME(wave) *wave)
{
    wave->value *= wave->ratio;
    wave->ratio *= wave->change;
}

/* g on the grid. Returns the sum of its squares. */
static double NAME(spread)(int n, const grid_pick *picks, double step, int64_t n_groups, double *grid)
{
    LANE squares = NAME(all)(0), *g = (LANE *)grid;
    memset(grid, 0, sizeof(LANE) * n_groups);
    for (int a = 0; a < n; a++) {
        const grid_pick *p = picks + a;
        NAME(wave) wave = NAME(wave_from)(NAME(nodes_from)(LANES * p->first_group * step - p->residual, step), step, p->variance);
        wave.value *= p->amplitude;
        for (LANE *node = g + p->first_group, *end = node + p->n_groups; node < end; node++) {
            *node += wave.value;
            NAME(advance)(&wave);
        }
    }
    for (int64_t i = 0; i < n_groups; i++)
        squares += g[i] * g[i];
    return NAME(sum)(squares);
}

/* Sums over the nodes of g G_a (x - r_a)^m, m = 0, 1, 2, of one pick. */
static inline void NAME(moments)(const grid_pick *p, double step, const double *grid, double moment[3])
{
    LANE x = NAME(nodes_from)(LANES * p->first_group * step - p->residual, step);
    LANE zeroth = NAME(all)(0), first = zeroth, second = zeroth;
    NAME(wave) wave = NAME(wave_from)(x, step, p->variance);
    const LANE *node = (const LANE *)grid + p->first_group, *end = node + p->n_groups;
    for (; node < end; node++) {
        const LANE product = *node * wave.value, by_x = product * x;
        zeroth += product;
        first += by_x;
        second += by_x * x;
        x += LANES * step;
        NAME(advance)(&wave);
    }
    moment[0] = p->amplitude * NAME(sum)(zeroth);
    moment[1] = p->amplitude * NAME(sum)(first);
    moment[2] = p->amplitude * NAME(sum)(second);
}

/* One particle, if the grid is expected to be faster and turns out accurate; returns whether it was used. */
static int NAME(by_grid)(const edt_batch *batch, int64_t event, int64_t particle, const workspace *work)
{
    const int64_t start = batch->start[event];
    const int n = (int)(batch->start[event + 1] - start);
    grid_plan plan;
    if (!plan_grid(batch, event, particle, LANES, work, &plan))
        return 0;
    const double factor = plan.step * INVERSE_ROOT_PI; /* of a sum over nodes, to a part of 2 S */
    const double twice = factor * NAME(spread)(n, work->grid_picks, plan.step, plan.n_groups, work->grid);
    const double total = (twice - plan.self) / 2;
    if (!(plan.relative_error * twice + plan.cut_off < batch->tolerance * total))
        return 0;

    batch->log_sum[particle * batch->n_events + event] = log(total);
    for (int a = 0; a < n; a++) {
        const grid_pick *p = work->grid_picks + a;
        const double weight = batch->weight[start + a], self = weight * p->amplitude * ROOT_HALF;
        double moment[3];
        NAME(moments)(p, plan.step, work->grid, moment);
        const double by_residual = factor * 2 * moment[1] / p->variance;
        const double by_variance = factor * (moment[2] / p->variance - moment[0] / 2) + self / 4;
        *at(batch->by_residual, batch->gradient_strides, particle, start + a) = by_residual / total;
        *at(batch->by_variance, batch->gradient_strides, particle, start + a) = by_variance / (p->variance * total);
    }
    return 1;
}

/* One event for the LANES particles from `first`, or those that there are. */
static void NAME(evaluate)(const edt_batch *batch, int64_t event, int64_t first, const workspace *work)
{
    NAME(group) left = {0};
    for (int64_t particle = first; particle < first + LANES && particle < batch->n_particles; particle++)
        if (!NAME(by_grid)(batch, event, particle, work))
            left.particle[left.n++] = particle;
    if (left.n)
        NAME(direct)(batch, event, &left, work->direct_picks);
}

static const lane_kernel NAME(kernel) = {LANES, sizeof(NAME(pick)), NAME(evaluate)};

#undef LANE
#undef INDEX
#undef LANES
#undef LANE_BYTES
#undef NAME
#undef GUESS
#undef SMALLER
