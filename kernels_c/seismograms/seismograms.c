/* See seismograms.h. Loops over lanes are written so that the compiler turns each into SIMD code. */
#include "seismograms.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "simd.h"

#define LANES SEISMOGRAMS_LANES
#define COMPONENTS 6
#define AROUND 4
#define INLINE static inline __attribute__((always_inline))

/* Of one thread. Rows: values of the components, then their derivatives along x, y and z. */
typedef struct {
    float *quantity; /* (4 * 6, rank) */
    float *beside;   /* (2, 6 * rank): sums along z, and their derivatives */
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

/* Step 1. Derivatives are by m. */
INLINE void quantities(const seismograms_table *t, const double *place, const double *per_m, room *own)
{
    const int64_t n = (int64_t)COMPONENTS * t->rank;
    float weight[3][AROUND], slope[3][AROUND];
    int64_t cell[3];
    for (int a = 0; a < 3; a++) {
        const int64_t whole = (int64_t)floor(place[a]), last = t->shape[a] - AROUND;
        cell[a] = whole < last ? whole : last;
        splines(place[a] - (double)cell[a], weight[a], slope[a]);
    }
    float *value = own->quantity, *x = value + n, *y = x + n, *z = y + n, *sum = own->beside, *change = sum + n;
    memset(value, 0, sizeof(float) * (size_t)(per_m ? 4 * n : n));
    for (int i = 0; i < AROUND; i++)
        for (int j = 0; j < AROUND; j++) {
            const float *c = t->coefficient + (((cell[0] + i) * t->shape[1] + cell[1] + j) * t->shape[2] + cell[2]) * n;
            const float both = weight[0][i] * weight[1][j];
            const float *w = weight[2], *d = slope[2];
            if (!per_m) {
                for (int64_t k = 0; k < n; k++)
                    value[k] += both * (w[0] * c[k] + w[1] * c[k + n] + w[2] * c[k + 2 * n] + w[3] * c[k + 3 * n]);
                continue;
            }
            const float in_x = slope[0][i] * weight[1][j] * (float)per_m[0];
            const float in_y = weight[0][i] * slope[1][j] * (float)per_m[1], in_z = both * (float)per_m[2];
            for (int64_t k = 0; k < n; k++) {
                sum[k] = w[0] * c[k] + w[1] * c[k + n] + w[2] * c[k + 2 * n] + w[3] * c[k + 3 * n];
                change[k] = d[0] * c[k] + d[1] * c[k + n] + d[2] * c[k + 2 * n] + d[3] * c[k + 3 * n];
            }
            for (int64_t k = 0; k < n; k++) {
                value[k] += both * sum[k];
                x[k] += in_x * sum[k];
                y[k] += in_y * sum[k];
                z[k] += in_z * change[k];
            }
        }
}

/* Step 2, for the knots from `begin`, which may be before the first; zero where there are none. */
INLINE void waveforms(const seismograms_table *t, int64_t begin, int rows, room *own)
{
    const int64_t from = begin < 0 ? (-begin < own->length ? -begin : own->length) : 0;
    int64_t to = t->knots - begin;
    to = to > own->length ? own->length : to;
    for (int row = 0; row < rows; row++) {
        float *wave = own->wave + row * own->length;
        if (to <= from) {
            memset(wave, 0, sizeof(float) * (size_t)own->length);
            continue;
        }
        memset(wave, 0, sizeof(float) * (size_t)from);
        memset(wave + to, 0, sizeof(float) * (size_t)(own->length - to));
    }
    for (int64_t k = from; k < to; k += LANES) {
        const int64_t wide = to - k < LANES ? to - k : LANES;
        for (int row = 0; row < rows; row += COMPONENTS) {
            const float *q = own->quantity + (int64_t)row * t->rank, *b = t->basis + begin + k;
            float sum[COMPONENTS][LANES];
            memset(sum, 0, sizeof sum);
            for (int r = 0; r < t->rank; r++, b += t->stride)
                for (int c = 0; c < COMPONENTS; c++) {
                    const float share = q[c * (int64_t)t->rank + r];
                    for (int l = 0; l < LANES; l++)
                        sum[c][l] += share * b[l];
                }
            for (int c = 0; c < COMPONENTS; c++)
                memcpy(own->wave + (row + c) * own->length + k, sum[c], sizeof(float) * (size_t)wide);
        }
    }
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
    const size_t size = 6 * n + 4 * COMPONENTS * (size_t)length + 4 * (size_t)t->samples;
#pragma omp parallel num_threads(n_threads) if (n_threads > 1)
    {
        float *memory = malloc(sizeof(float) * size);
        if (!memory) {
#pragma omp atomic write
            failed = 1;
        }
        room own = {memory, memory + 4 * n, memory + 6 * n, memory + 6 * n + 4 * COMPONENTS * (size_t)length, length};
#pragma omp for schedule(static)
        for (int64_t i = 0; i < b->n; i++)
            if (memory)
                at_place(t, b, i, &own);
        free(memory);
    }
    return failed ? SEISMOGRAMS_NO_MEMORY : SEISMOGRAMS_OK;
}
