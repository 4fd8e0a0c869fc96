/* See seismograms.h. Loops over lanes are written so that the compiler turns each into SIMD code. */
#include "seismograms.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "simd.h"

#define LANES SEISMOGRAMS_LANES
#define COMPONENTS 6
#define AROUND 4
#define TOGETHER 3
#define INLINE static inline __attribute__((always_inline))

/* Of one thread. Rows: values of the components, then their derivatives along x, y and z. */
typedef struct {
    float *quantity; /* (4 * 6, rank) */
    float *wave;     /* (4 * 6, length): on the knots around the samples */
    float *sampled;  /* (5, samples): value, rate of change, and derivatives along x, y and z */
    int64_t length;
} room;

/* B-splines at the fraction f of the way from a node to the next, for it, the one before and two behind; and derivatives. */
INLINE void splines(double f, float *weight, float *slope)
{
    const double g = 1 - f, f2 = f * f, g2 = g * g;
    weight[0] = (float)(g2 * g / 6);
    weight[1] = (float)((4 - 3 * f2 * (1 + g)) / 6);
    weight[2] = (float)((4 - 3 * g2 * (1 + f)) / 6);
    weight[3] = (float)(f2 * f / 6);
    slope[0] = (float)(-g2 / 2);
    slope[1] = (float)(f * (1.5 * f - 2));
    slope[2] = (float)(g * (2 - 1.5 * g));
    slope[3] = (float)(f2 / 2);
}

/* Sums of 4 x 4 coefficients, n of each, on a plane of x: along y and z, and derivatives by either. */
MULTIVERSION
static void add_plane(const float *restrict c, int64_t row, int64_t n, const float (*weight)[AROUND], const float (*slope)[AROUND],
                      int i, float *restrict value, float *restrict x, float *restrict y, float *restrict z)
{
    const float *w = weight[2], *d = slope[2];
    for (int64_t k = 0; k < n; k++) {
        float sum = 0, along_y = 0, along_z = 0;
#pragma GCC unroll 4
        for (int j = 0; j < AROUND; j++) {
            const float *f = c + j * row + k;
            const float on_z = w[0] * f[0] + w[1] * f[n] + w[2] * f[2 * n] + w[3] * f[3 * n];
            sum += weight[1][j] * on_z;
            along_y += slope[1][j] * on_z;
            along_z += weight[1][j] * (d[0] * f[0] + d[1] * f[n] + d[2] * f[2 * n] + d[3] * f[3 * n]);
        }
        value[k] += weight[0][i] * sum;
        x[k] += slope[0][i] * sum;
        y[k] += weight[0][i] * along_y;
        z[k] += weight[0][i] * along_z;
    }
}

/* Step 1. Derivatives are by m. */
static void quantities(const seismograms_table *t, const double *place, const double *per_m, room *own)
{
    const int64_t n = (int64_t)COMPONENTS * t->rank, row = t->shape[2] * n;
    float weight[3][AROUND], slope[3][AROUND];
    int64_t cell[3];
    for (int a = 0; a < 3; a++) {
        const int64_t whole = (int64_t)floor(place[a]), last = t->shape[a] - AROUND;
        cell[a] = whole < last ? whole : last;
        splines(place[a] - (double)cell[a], weight[a], slope[a]);
        for (int m = 0; m < AROUND; m++)
            slope[a][m] *= per_m ? (float)per_m[a] : 0;
    }
    float *value = own->quantity;
    memset(value, 0, sizeof(float) * (size_t)(4 * n));
    const float *corner = t->coefficient + cell[0] * t->shape[1] * row + cell[1] * row + cell[2] * n;
    for (int i = 0; i < AROUND; i++)
        add_plane(corner + i * t->shape[1] * row, row, n, weight, slope, i, value, value + n, value + 2 * n, value + 3 * n);
}

/* Components zz, yz and xz from smooth ones: of derivatives first, which need the values before. */
static void mix(const seismograms_table *t, const double *by, const double *slope, room *own)
{
    enum { XX, YY, ZZ, YZ, XZ };
    const int64_t rank = t->rank, n = COMPONENTS * rank;
    const float on_xx = (float)by[0], on_zz = (float)by[1], on_yz = (float)by[2], on_xz = (float)by[3];
    const float *value = own->quantity;
    for (int a = slope ? 3 : 0; a >= 0; a--) {
        float *q = own->quantity + a * n, of[4] = {0};
        for (int m = 0; m < 4 && a > 0; m++)
            of[m] = (float)slope[3 * m + a - 1];
        for (int64_t r = 0; r < rank; r++) {
            float zz = on_zz * q[ZZ * rank + r] - on_xx * (q[XX * rank + r] + q[YY * rank + r]);
            float yz = on_yz * q[YZ * rank + r], xz = on_xz * q[XZ * rank + r];
            if (a > 0) {
                zz += of[1] * value[ZZ * rank + r] - of[0] * (value[XX * rank + r] + value[YY * rank + r]);
                yz += of[2] * value[YZ * rank + r];
                xz += of[3] * value[XZ * rank + r];
            }
            q[ZZ * rank + r] = zz, q[YZ * rank + r] = yz, q[XZ * rank + r] = xz;
        }
    }
}

/* Product of q (rows, rank) with functions b on some knots, behind which b has LANES more. */
MULTIVERSION
static void product(const float *restrict q, const float *restrict b, float *restrict wave, int rows, int rank, int64_t stride,
                    int64_t length, int64_t knots)
{
    for (int64_t k = 0; k < knots; k += LANES) {
        const int64_t wide = knots - k < LANES ? knots - k : LANES;
        for (int row = 0; row < rows; row += TOGETHER) {
            float sum[TOGETHER][LANES];
            memset(sum, 0, sizeof sum);
            for (int r = 0; r < rank; r++)
#pragma GCC unroll 3
                for (int c = 0; c < TOGETHER; c++) {
                    const float share = q[(row + c) * rank + r];
                    for (int l = 0; l < LANES; l++)
                        sum[c][l] += share * b[r * stride + k + l];
                }
            for (int c = 0; c < TOGETHER; c++)
                memcpy(wave + (row + c) * length + k, sum[c], sizeof(float) * (size_t)wide);
        }
    }
}

/* Step 2, for the knots from `begin`, which may be before the first; zero where there are none. */
INLINE void waveforms(const seismograms_table *t, int64_t begin, int rows, room *own)
{
    const int64_t from = begin < 0 ? (-begin < own->length ? -begin : own->length) : 0;
    int64_t to = t->knots - begin;
    to = to > own->length ? own->length : to;
    memset(own->wave, 0, sizeof(float) * (size_t)(rows * own->length));
    if (to > from)
        product(own->quantity, t->basis + begin + from, own->wave + from, rows, t->rank, t->stride, own->length, to - from);
}

/* Step 3: samples of one row; every `per_knot`-th has the same weights. */
INLINE void samples_of(const seismograms_table *t, double first, int64_t begin, const float *wave, int rate, float *to, float size)
{
    for (int phase = 0; phase < t->per_knot && phase < t->samples; phase++) {
        const double knot = first + (double)phase / t->per_knot;
        const double whole = floor(knot);
        float weight[AROUND], slope[AROUND];
        splines(knot - whole, weight, slope);
        float w[AROUND];
        for (int m = 0; m < AROUND; m++)
            w[m] = size * (rate ? slope[m] : weight[m]);
        const float *near = wave + ((int64_t)whole - 1 - begin);
        const int64_t count = (t->samples - phase + t->per_knot - 1) / t->per_knot;
        float *out = to + phase;
        if (t->per_knot == 1)
            for (int64_t j = 0; j < count; j++)
                out[j] = w[0] * near[j] + w[1] * near[j + 1] + w[2] * near[j + 2] + w[3] * near[j + 3];
        else
            for (int64_t j = 0; j < count; j++)
                out[j * t->per_knot] = w[0] * near[j] + w[1] * near[j + 1] + w[2] * near[j + 2] + w[3] * near[j + 3];
    }
}

MULTIVERSION
static void at_place(const seismograms_table *t, const seismograms_batch *b, int64_t i, room *own)
{
    const double first = b->first[i];
    const int64_t begin = (int64_t)floor(first) - 1, samples = t->samples;
    const int rows = b->per_m ? 4 * COMPONENTS : COMPONENTS;
    float *traces = b->traces + i * COMPONENTS * samples;
    quantities(t, b->place + 3 * i, b->per_m, own);
    if (b->mix)
        mix(t, b->mix + 4 * i, b->per_m ? b->mix_slope + 12 * i : NULL, own);
    waveforms(t, begin, rows, own);
    for (int c = 0; c < COMPONENTS; c++) {
        const float *wave = own->wave + c * own->length, gain = (float)b->gain[i];
        float *trace = traces + c * samples;
        samples_of(t, first, begin, wave, 0, trace, gain);
        if (!b->per_m)
            continue;
        float *rate = own->sampled;
        samples_of(t, first, begin, wave, 1, rate, gain);
        for (int a = 0; a < 3; a++)
            samples_of(t, first, begin, wave + (a + 1) * COMPONENTS * own->length, 0, rate + (a + 1) * samples, gain);
        const double *later = b->first_slope + 3 * i, *louder = b->gain_slope + 3 * i;
        const float on_rate[3] = {(float)later[0], (float)later[1], (float)later[2]};
        const float on_trace[3] = {(float)(louder[0] / b->gain[i]), (float)(louder[1] / b->gain[i]), (float)(louder[2] / b->gain[i])};
        const float *x = rate + samples, *y = x + samples, *z = y + samples;
        float *out = b->slopes + (i * COMPONENTS + c) * samples * 3;
        for (int64_t j = 0; j < samples; j++) {
            out[3 * j] = x[j] + on_rate[0] * rate[j] + on_trace[0] * trace[j];
            out[3 * j + 1] = y[j] + on_rate[1] * rate[j] + on_trace[1] * trace[j];
            out[3 * j + 2] = z[j] + on_rate[2] * rate[j] + on_trace[2] * trace[j];
        }
    }
}

int seismograms_lookup(const seismograms_table *t, const seismograms_batch *b, int n_threads)
{
    int failed = 0;
    const int64_t length = (t->samples - 1) / t->per_knot + AROUND + 2;
    const size_t n = (size_t)COMPONENTS * (size_t)t->rank;
    const size_t size = 4 * n + 4 * COMPONENTS * (size_t)length + 4 * (size_t)t->samples;
#pragma omp parallel num_threads(n_threads) if (n_threads > 1)
    {
        float *memory = malloc(sizeof(float) * size);
        if (!memory) {
#pragma omp atomic write
            failed = 1;
        }
        room own = {memory, memory + 4 * n, memory + 4 * n + 4 * COMPONENTS * (size_t)length, length};
#pragma omp for schedule(static)
        for (int64_t i = 0; i < b->n; i++)
            if (memory)
                at_place(t, b, i, &own);
        free(memory);
    }
    return failed ? SEISMOGRAMS_NO_MEMORY : SEISMOGRAMS_OK;
}
