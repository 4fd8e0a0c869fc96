/* Back-projection of picks: where and when an earthquake would explain most of them.
 *
 * Equation   Channels (a station and a phase) have a gain g_c(t): the log-likelihood ratio of "an event's wave arrives at t"
 *            against chance. Nodes have delays d_nc, whole time steps, to the channels, in an order c_n1, c_n2, ... from
 *            the nearest on. An event at node n and time t, seen by its m nearest channels, has
 *                S_n(t, m) = sum over j <= m of g_c(t + d_nc),  c = c_nj,
 *            and wanted is max over n and m of S_n(t, m), or 0 if that is more, and the node of the maximum, for every t.
 *
 * Properties 1. A channel counts once, and channels beyond the reach of an event do not count against it.
 *            2. Of nodes with the same sum the first one is given. Results do not depend on the threads, or on the registers:
 *               each sum is in float32 and in the order of the node's channels.
 *            3. Lanes are neighbouring times: loads are contiguous for any delays. Times go in blocks whose sums stay in the
 *               first cache while all nodes pass.
 */
#ifndef VIP_BACKPROJECTION_H
#define VIP_BACKPROJECTION_H

#include <stdint.h>

typedef struct {
    int64_t n_nodes, n_channels, n_steps, n_times; /* of the gains: n_steps; of the result: n_times */
    const float *gain;      /* (n_channels, n_steps) */
    const int32_t *channel; /* (n_nodes, n_channels): in the order in which they count; -1 ends it */
    const int32_t *delay;   /* (n_nodes, n_channels): of these channels, at most n_steps - n_times */
    float *best;            /* (n_times) */
    int32_t *node;          /* (n_times); -1 where the best is 0 */
} backprojection;

void backprojection_run(const backprojection *b, int n_threads);
#endif
