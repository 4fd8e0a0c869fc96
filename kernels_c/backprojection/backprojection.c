/* See backprojection.h. */
#include "backprojection.h"

#include "simd.h"

#define BLOCK 512   /* times whose sums stay in the first cache */
#define TOGETHER 6  /* channels that are added while a sum is in its register: it is loaded and stored once for all */

MULTIVERSION static void add(float *restrict sum, float *restrict top, const float *restrict gain, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        sum[i] += gain[i];
        top[i] = top[i] > sum[i] ? top[i] : sum[i];
    }
}

MULTIVERSION static void add_together(float *restrict sum, float *restrict top, const float *const gain[TOGETHER], int64_t n)
{
    const float *restrict a = gain[0], *restrict b = gain[1], *restrict c = gain[2];
    const float *restrict d = gain[3], *restrict e = gain[4], *restrict f = gain[5];
    for (int64_t i = 0; i < n; i++) {
        float s = sum[i], t = top[i];
        s += a[i], t = t > s ? t : s;
        s += b[i], t = t > s ? t : s;
        s += c[i], t = t > s ? t : s;
        s += d[i], t = t > s ? t : s;
        s += e[i], t = t > s ? t : s;
        s += f[i], t = t > s ? t : s;
        sum[i] = s, top[i] = t;
    }
}

MULTIVERSION static void keep(float *restrict best, int32_t *restrict node, const float *restrict top, int32_t this, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const int better = top[i] > best[i];
        best[i] = better ? top[i] : best[i];
        node[i] = better ? this : node[i];
    }
}

static inline const float *gain_of(const backprojection *b, int64_t channel, int64_t time)
{
    return b->gain + channel * b->n_steps + time;
}

static void run_block(const backprojection *b, int64_t first, int64_t n)
{
    float sum[BLOCK], top[BLOCK];
    for (int64_t i = 0; i < n; i++)
        b->best[first + i] = 0, b->node[first + i] = -1;
    for (int64_t k = 0; k < b->n_nodes; k++) {
        const int32_t *channel = b->channel + k * b->n_channels, *delay = b->delay + k * b->n_channels;
        for (int64_t i = 0; i < n; i++)
            sum[i] = top[i] = 0;
        int64_t j = 0, n_seen = 0;
        while (n_seen < b->n_channels && channel[n_seen] >= 0)
            n_seen++;
        for (; j + TOGETHER <= n_seen; j += TOGETHER) {
            const float *gain[TOGETHER];
            for (int c = 0; c < TOGETHER; c++)
                gain[c] = gain_of(b, channel[j + c], first + delay[j + c]);
            add_together(sum, top, gain, n);
        }
        for (; j < n_seen; j++)
            add(sum, top, gain_of(b, channel[j], first + delay[j]), n);
        keep(b->best + first, b->node + first, top, (int32_t)k, n);
    }
}

void backprojection_run(const backprojection *b, int n_threads)
{
#pragma omp parallel for num_threads(n_threads) schedule(dynamic)
    for (int64_t first = 0; first < b->n_times; first += BLOCK)
        run_block(b, first, b->n_times - first < BLOCK ? b->n_times - first : BLOCK);
}
