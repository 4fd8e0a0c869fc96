#include "exchange.h"

#include <math.h>

/* What a move adds to one datum or two: where there is one alone, both are that one and the second adds nothing. */
typedef struct {
    int64_t i, j;
    double first, second;
} change;

static double best(const exchange_problem *e, int64_t n, int64_t i, int64_t j, double other) {
    return -(e->half_gradient[i] + e->projector[i * n + j] * other) / e->projector[i * n + i];
}

static change of_move(const exchange_problem *e, int64_t n, int64_t channel, int64_t event, int64_t slot, double mine, double theirs) {
    change x = {event * e->n_channels + channel, event * e->n_channels + channel, 0, 0};
    const int two = slot < e->n_events;
    if (two) x.j = slot * e->n_channels + channel;
    if (two && !isnan(mine)) x.second = mine - e->datum[x.j];
    x.first = isnan(theirs) ? best(e, n, x.i, x.j, x.second) : theirs - e->datum[x.i];
    if (two && isnan(mine)) x.second = best(e, n, x.j, x.i, x.first);
    return x;
}

static double cost(const exchange_problem *e, int64_t n, change x) {
    const double *p = e->projector;
    return 2 * (x.first * e->half_gradient[x.i] + x.second * e->half_gradient[x.j]) + x.first * x.first * p[x.i * n + x.i] +
           x.second * x.second * p[x.j * n + x.j] + 2 * x.first * x.second * p[x.i * n + x.j];
}

/* Data are those of the picks to the last bit, not sums of what was added. */
static void make(const exchange_problem *e, int64_t n, change x, double mine, double theirs) {
    const double *first = e->projector + x.i * n, *second = e->projector + x.j * n;
    for (int64_t k = 0; k < n; k++) e->half_gradient[k] += x.first * first[k] + x.second * second[k];
    e->datum[x.i] = isnan(theirs) ? e->datum[x.i] + x.first : theirs;
    if (x.j != x.i) e->datum[x.j] = isnan(mine) ? e->datum[x.j] + x.second : mine;
}

double exchange_run(const exchange_problem *e) {
    const int64_t n = e->n_events * e->n_channels;
    double total = 0;
    for (int64_t m = 0; m < e->n_moves; m++) {
        const int32_t *move = e->move + 3 * m;
        double *slots = e->slot + move[0] * e->n_slots, mine = slots[move[1]], theirs = slots[move[2]];
        const change x = of_move(e, n, move[0], move[1], move[2], mine, theirs);
        const double rise = cost(e, n, x);
        if (!(rise <= e->slack[m])) continue;
        make(e, n, x, mine, theirs);
        slots[move[1]] = theirs;
        slots[move[2]] = mine;
        total += rise;
    }
    return total;
}
