/* Which pick belongs to which predicted arrival, at each channel (a station and a phase): the best matching, and probabilities.
 *
 * Equation   With predictions p_j, picks t_k and standard deviations s_k, matching j to k gains
 *                g_jk = a_j + b_k - (t_k - p_j)^2 / (2 s_k^2)
 *            over leaving both alone; each takes part in one match at most. a_j is the log-odds of a wave to be picked, b_k
 *            the log of how seldom such picks come by chance. This is the assignment problem with prices for what is left
 *            unmatched; in the words of optimal transport, a partial one in one dimension with a convex cost (the loss of
 *            section 5.7 of Shi et al. 2024, at its minimum).
 *
 * Schemes    Best matching: where all s_k of a channel are equal the cost is convex in the distance alone, so that two matches
 *            that cross can be uncrossed for no less gain, and an alignment of the two sorted sequences is exact. It
 *            is found by dynamic programming within groups that no positive gain connects. Unequal s_k are refused.
 *            Sums: of exp(gain) over all matchings, those that cross included, forwards and backwards
 *            along the picks; a state is the set of predictions, of those in reach of a pick, that have been used. Its cost
 *            grows with 2 to the power of the predictions in reach at once, of which there may be MATCHING_MOST.
 *
 * Properties 1. Pairs without a positive gain are never matched, and pairs of a gain below -REACH have the probability 0.
 *            2. Groups are independent, so that results do not depend on what else a channel has.
 */
#ifndef VIP_MATCHING_H
#define VIP_MATCHING_H

#include <stdint.h>

enum { MATCHING_OK = 0, MATCHING_NO_MEMORY = 1, MATCHING_TOO_MANY = 2 };
enum { MATCHING_MOST = 16 };

/* Predictions and picks of channel c are first_prediction[c] to first_prediction[c + 1], sorted by time; picks likewise. */
typedef struct {
    int64_t n_channels;
    const int64_t *first_prediction, *first_pick;
    const double *prediction, *prediction_gain; /* p_j, a_j */
    const double *pick, *pick_gain, *sigma;     /* t_k, b_k, s_k */
} matching_problem;

/* match (n_predictions): the pick of each prediction, or -1. */
int matching_best(const matching_problem *m, int64_t *match);

/* Pairs of a gain of -reach or more, in the order of predictions, then picks: first_pair (n_predictions + 1), and pair_pick unless
 * it is NULL, to say first how many there are. */
void matching_pairs(const matching_problem *m, double reach, int64_t *first_pair, int64_t *pair_pick);

/* The probability (n_pairs) of each pair, and the logarithm (n_channels) of the sum of exp(gain) over all matchings. On
 * MATCHING_TOO_MANY, *channel has too many predictions in reach at once. */
int matching_sums(const matching_problem *m, const int64_t *first_pair, const int64_t *pair_pick, double *probability,
                  double *log_sum, int64_t *channel);
#endif
