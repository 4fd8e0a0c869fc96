/* Included by elastic3d.c once for each precision and instruction set, with REAL, LANE_BYTES and NAME defined: the update of
 * rows, for each order and each set of layers that a row can be in. See elastic3d.h for the scheme. */

typedef REAL NAME(lane) __attribute__((vector_size(LANE_BYTES), aligned(sizeof(REAL)), may_alias));
#define LANE NAME(lane)
#define LANES ((int)(LANE_BYTES / sizeof(REAL)))
#define AT(p) (*(LANE *)(p))

/* Where one row is updated: its fields; its memories and their coefficients by axis, at nodes [0] and half a spacing after [1]. */
typedef struct {
    REAL *field[ELASTIC3D_FIELDS], *memory[3][3];
    REAL keep[2][2], share[2][2];
} NAME(row);

typedef struct {
    const elastic3d_plan *plan;
    layout at;
    REAL *fields, *memories;
    REAL stencil[3][ELASTIC3D_HALO];
    REAL *keep[3][2], *share[3][2], *tables;
} NAME(solver);

/* First derivative half a spacing after the values at f, along an axis of stride s. */
static inline __attribute__((always_inline)) LANE NAME(after)(const REAL *f, long s, const REAL *c, int half)
{
    LANE sum = c[0] * (AT(f + s) - AT(f));
#pragma GCC unroll 4
    for (int m = 1; m < half; m++)
        sum += c[m] * (AT(f + (m + 1) * s) - AT(f - m * s));
    return sum;
}

static inline __attribute__((always_inline)) LANE NAME(before)(const REAL *f, long s, const REAL *c, int half)
{
    return NAME(after)(f - s, s, c, half);
}

/* A derivative in a layer: with its memory. */
#define STRETCH(d, place, keep, share)              \
    do {                                            \
        LANE psi = (keep) * AT(place) + (share) * d; \
        AT(place) = psi;                            \
        d += psi;                                   \
    } while (0)

/* The three derivatives along each axis, stretched where their axis has a layer. `own` is 1 if those of a component along its own
 * axis lie half a spacing after nodes, 0 if the others do. */
static inline __attribute__((always_inline)) void NAME(stretch)(const NAME(solver) *s, const NAME(row) *r, LANE d[3][3], long k,
                                                                long place2, int own, int in0, int in1, int in2)
{
#pragma GCC unroll 3
    for (int c = 0; c < 3; c++) {
        if (in0) {
            const int h = (c == 0) == own;
            STRETCH(d[0][c], r->memory[0][c] + k, r->keep[0][h], r->share[0][h]);
        }
        if (in1) {
            const int h = (c == 1) == own;
            STRETCH(d[1][c], r->memory[1][c] + k, r->keep[1][h], r->share[1][h]);
        }
        if (in2) {
            const int h = (c == 2) == own;
            STRETCH(d[2][c], r->memory[2][c] + place2, AT(s->keep[2][h] + k), AT(s->share[2][h] + k));
        }
    }
}

static inline __attribute__((always_inline)) void NAME(velocity)(const NAME(solver) *s, const NAME(row) *r, long first, long last,
                                                                 long shift, int half, int in0, int in1, int in2)
{
    const long plane = s->plan->plane, row = s->plan->row;
    REAL c0[ELASTIC3D_HALO], c1[ELASTIC3D_HALO], c2[ELASTIC3D_HALO];
    for (int m = 0; m < half; m++)
        c0[m] = s->stencil[0][m], c1[m] = s->stencil[1][m], c2[m] = s->stencil[2][m];
    REAL *const *f = r->field;
    for (long k = first; k < last; k += LANES) {
        LANE d[3][3];
        d[0][0] = NAME(after)(f[S00] + k, plane, c0, half);
        d[1][0] = NAME(before)(f[S01] + k, row, c1, half);
        d[2][0] = NAME(before)(f[S02] + k, 1, c2, half);
        d[0][1] = NAME(before)(f[S01] + k, plane, c0, half);
        d[1][1] = NAME(after)(f[S11] + k, row, c1, half);
        d[2][1] = NAME(before)(f[S12] + k, 1, c2, half);
        d[0][2] = NAME(before)(f[S02] + k, plane, c0, half);
        d[1][2] = NAME(before)(f[S12] + k, row, c1, half);
        d[2][2] = NAME(after)(f[S22] + k, 1, c2, half);
        NAME(stretch)(s, r, d, k, k - shift, 1, in0, in1, in2);
#pragma GCC unroll 3
        for (int c = 0; c < 3; c++)
            AT(f[V0 + c] + k) += AT(f[B0 + c] + k) * (d[0][c] + d[1][c] + d[2][c]);
    }
}

static inline __attribute__((always_inline)) void NAME(stress)(const NAME(solver) *s, const NAME(row) *r, long first, long last,
                                                               long shift, int half, int in0, int in1, int in2)
{
    const long plane = s->plan->plane, row = s->plan->row;
    REAL c0[ELASTIC3D_HALO], c1[ELASTIC3D_HALO], c2[ELASTIC3D_HALO];
    for (int m = 0; m < half; m++)
        c0[m] = s->stencil[0][m], c1[m] = s->stencil[1][m], c2[m] = s->stencil[2][m];
    REAL *const *f = r->field;
    for (long k = first; k < last; k += LANES) {
        LANE d[3][3];
        d[0][0] = NAME(before)(f[V0] + k, plane, c0, half);
        d[1][1] = NAME(before)(f[V1] + k, row, c1, half);
        d[2][2] = NAME(before)(f[V2] + k, 1, c2, half);
        d[1][0] = NAME(after)(f[V0] + k, row, c1, half);
        d[0][1] = NAME(after)(f[V1] + k, plane, c0, half);
        d[2][0] = NAME(after)(f[V0] + k, 1, c2, half);
        d[0][2] = NAME(after)(f[V2] + k, plane, c0, half);
        d[2][1] = NAME(after)(f[V1] + k, 1, c2, half);
        d[1][2] = NAME(after)(f[V2] + k, row, c1, half);
        NAME(stretch)(s, r, d, k, k - shift, 0, in0, in1, in2);
        const LANE two_mu = AT(f[TWO_MU] + k), common = AT(f[LAMBDA] + k) * (d[0][0] + d[1][1] + d[2][2]);
        AT(f[S00] + k) += common + two_mu * d[0][0];
        AT(f[S11] + k) += common + two_mu * d[1][1];
        AT(f[S22] + k) += common + two_mu * d[2][2];
        AT(f[S01] + k) += AT(f[MU01] + k) * (d[1][0] + d[0][1]);
        AT(f[S02] + k) += AT(f[MU02] + k) * (d[2][0] + d[0][2]);
        AT(f[S12] + k) += AT(f[MU12] + k) * (d[2][1] + d[1][2]);
    }
}

/* A row in its three parts: the layer where the third axis begins, the inside, the layer where it ends. */
#define PARTS(what, half, in0, in1)                                                       \
    do {                                                                                  \
        const layout *at = &s->at;                                                        \
        NAME(what)(s, r, 0, at->low, 0, half, in0, in1, 1);                               \
        NAME(what)(s, r, at->low, at->high, 0, half, in0, in1, 0);                        \
        NAME(what)(s, r, at->high, at->length, at->high - at->low, half, in0, in1, 1);    \
    } while (0)
#define FUNCTION(what, half)                                                                                   \
    static __attribute__((noinline)) void NAME(what##_inside_##half)(const NAME(solver) * s, const NAME(row) * r) \
    {                                                                                                          \
        PARTS(what, half, 0, 0);                                                                               \
    }                                                                                                          \
    static __attribute__((noinline)) void NAME(what##_layers_##half)(const NAME(solver) * s, const NAME(row) * r) \
    {                                                                                                          \
        if (r->memory[0][0] && r->memory[1][0])                                                                \
            PARTS(what, half, 1, 1);                                                                           \
        else if (r->memory[0][0])                                                                              \
            PARTS(what, half, 1, 0);                                                                           \
        else                                                                                                   \
            PARTS(what, half, 0, 1);                                                                           \
    }
FUNCTION(velocity, 2)
FUNCTION(stress, 2)
FUNCTION(velocity, 4)
FUNCTION(stress, 4)
#undef FUNCTION
#undef PARTS
#undef STRETCH
