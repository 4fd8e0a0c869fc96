/* Which pick belongs to which event, by exchanges of picks, where all continuous unknowns follow each exchange.
 *
 * Equation   Data d_i (an arrival time each) are linear in unknowns with a Gaussian prior. The least of the sum of squares
 *            over the unknowns is quadratic in the data: an exchange that adds x to d changes it by
 *                2 x.q + x.P x,   and then adds P x to q.
 *            P is what projects data onto the part that no unknown explains, q half of the gradient. One exchange changes two
 *            data of a channel, so that it is judged in a few operations, with all unknowns at their best for it.
 *
 * Schemes    Channel c has slots: the first n_events are those of the events, whose data are d[e, c]; the others hold picks of
 *            no event. A move exchanges what is in the slot of an event and in another one. It is done if the sum of squares
 *            rises by no more than its slack: 0 for descent, random numbers for annealing (Kirkpatrick et al. 1983).
 *
 * Properties 1. A slot may hold no pick (NaN). A datum without a pick takes the value that costs least when it loses its pick,
 *               and again when it exchanges nothing with nothing: it counts as an unknown, found by relaxation.
 *            2. The order of the moves and their slacks are given, so that results do not depend on anything else.
 */
#ifndef VIP_EXCHANGE_H
#define VIP_EXCHANGE_H

#include <stdint.h>

typedef struct {
    int64_t n_events, n_channels, n_slots, n_moves;
    const double *projector; /* (n, n), n = n_events n_channels: symmetric, with a positive diagonal */
    const int32_t *move;     /* (n_moves, 3): channel, event, and another slot */
    const double *slack;     /* (n_moves) */
    double *slot;            /* (n_channels, n_slots): times of picks, s, or NaN */
    double *datum;           /* (n_events, n_channels), s */
    double *half_gradient;   /* (n_events, n_channels), s */
} exchange_problem;

/* The change of the sum of squares. */
double exchange_run(const exchange_problem *e);
#endif
