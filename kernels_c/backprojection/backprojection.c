/* See backprojection.h. */
#include "backprojection.h"

#include "simd.h"

#define BLOCK 512 /* times whose sums stay in the first cache */

MULTIVERSION static void add(float *restrict sum, float *restrict top, const float *restrict gain, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        sum[i] += gain[i];
        top[i] = top[i] > sum[i] ? top[i] : sum[i];
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

static void run_block(const backprojection *b, int64_t first, int64_t n)
{
    float sum[BLOCK], top[BLOCK];
    for (int64_t i = 0; i < n; i++)
        b->best[first + i] = 0, b->node[first + i] = -1;
    for (int64_t k = 0; k < b->n_nodes; k++) {
        const int32_t *channel = b->channel + k * b->n_channels, *delay = b->delay + k * b->n_channels;
        for (int64_t i = 0; i < n; i++)
            sum[i] = top[i] = 0;
        for (int64_t j = 0; j < b->n_channels && channel[j] >= 0; j++)
            add(sum, top, b->gain + channel[j] * b->n_steps + first + delay[j], n);
        keep(b->best + first, b->node + first, top, (int32_t)k, n);
    }
}

void backprojection_run(const backprojection *b, int n_threads)
{
#pragma omp parallel for num_threads(n_threads) schedule(dynamic)
    for (int64_t first = 0; first < b->n_times; first += BLOCK)
        run_block(b, first, b->n_times - first < BLOCK ? b->n_times - first : BLOCK);
}
