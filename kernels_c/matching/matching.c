/* See matching.h. */
#include "matching.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double gain(const matching_problem *m, int64_t j, int64_t k)
{
    const double z = (m->pick[k] - m->prediction[j]) / m->sigma[k];
    return m->prediction_gain[j] + m->pick_gain[k] - 0.5 * z * z;
}

/* The largest distance of a pair whose gain may be -reach or more. */
static double widest(const matching_problem *m, int64_t c, double reach)
{
    double a = -HUGE_VAL, b = -HUGE_VAL, s = 0;
    for (int64_t j = m->first_prediction[c]; j < m->first_prediction[c + 1]; j++)
        a = fmax(a, m->prediction_gain[j]);
    for (int64_t k = m->first_pick[c]; k < m->first_pick[c + 1]; k++)
        b = fmax(b, m->pick_gain[k]), s = fmax(s, m->sigma[k]);
    return a + b + reach > 0 ? s * sqrt(2 * (a + b + reach)) : -1;
}

/* A group: predictions j0 to j1 and picks k0 to k1, that no positive gain connects with others. */
typedef struct {
    int64_t j0, j1, k0, k1;
} group;

/* Dynamic programming: total[i][l] is the best of the first i predictions and l picks of the group. */
static void align(const matching_problem *m, group g, double *total, int64_t *match)
{
    const int64_t n = g.j1 - g.j0, width = g.k1 - g.k0 + 1;
    memset(total, 0, sizeof(double) * width);
    for (int64_t i = 1; i <= n; i++) {
        double *row = total + i * width, *above = row - width;
        row[0] = 0;
        for (int64_t l = 1; l < width; l++)
            row[l] = fmax(above[l - 1] + gain(m, g.j0 + i - 1, g.k0 + l - 1), fmax(above[l], row[l - 1]));
    }
    for (int64_t i = n, l = width - 1; i > 0;) {
        const double *row = total + i * width, *above = row - width;
        if (row[l] == above[l]) {
            match[g.j0 + --i] = -1;
        } else if (row[l] == row[l - 1]) {
            l--;
        } else {
            match[g.j0 + --i] = g.k0 + --l;
        }
    }
}

/* Room for the table of a group, kept from one to the next. */
static double *room(double **table, int64_t *size, int64_t needed)
{
    if (needed > *size) {
        free(*table);
        *size = 2 * needed;
        *table = malloc(sizeof(double) * *size);
    }
    return *table;
}

int matching_best(const matching_problem *m, int64_t *match)
{
    double *table = NULL;
    int64_t size = 0;
    for (int64_t c = 0; c < m->n_channels; c++) {
        const double reach = widest(m, c, 0);
        int64_t first = m->first_pick[c], last = first;
        const int64_t end = m->first_pick[c + 1];
        for (int64_t j = m->first_prediction[c], start = j; j < m->first_prediction[c + 1]; j++) {
            while (last < end && m->pick[last] <= m->prediction[j] + reach)
                last++;
            const int is_end = j + 1 == m->first_prediction[c + 1];
            if (!is_end && last > first && m->pick[last - 1] >= m->prediction[j + 1] - reach)
                continue; /* the next prediction may want the same picks */
            const group g = {start, j + 1, first, last};
            if (!room(&table, &size, (g.j1 - g.j0 + 1) * (g.k1 - g.k0 + 1)))
                return MATCHING_NO_MEMORY;
            align(m, g, table, match);
            start = j + 1;
            first = last;
        }
    }
    free(table);
    return MATCHING_OK;
}

void matching_pairs(const matching_problem *m, double reach, int64_t *first_pair, int64_t *pair_pick)
{
    int64_t n = 0;
    for (int64_t c = 0; c < m->n_channels; c++) {
        const double furthest = widest(m, c, reach);
        int64_t first = m->first_pick[c];
        for (int64_t j = m->first_prediction[c]; j < m->first_prediction[c + 1]; j++) {
            first_pair[j] = n;
            while (first < m->first_pick[c + 1] && m->pick[first] < m->prediction[j] - furthest)
                first++;
            for (int64_t k = first; k < m->first_pick[c + 1] && m->pick[k] <= m->prediction[j] + furthest; k++)
                if (gain(m, j, k) >= -reach) {
                    if (pair_pick)
                        pair_pick[n] = k;
                    n++;
                }
        }
    }
    first_pair[m->first_prediction[m->n_channels]] = n;
}

/* What a pick does to the sets of used predictions: its pairs, and which predictions come into reach and leave it. */
typedef struct {
    int64_t first, n; /* of its pairs, in the order of picks */
    int bits;         /* of sets while it is treated */
    double *sets;     /* the sums over matchings of earlier picks, by set */
} stage;

typedef struct {
    int slot;
    int64_t first, last; /* picks in reach; last < first if there is none */
} prediction;

typedef struct {
    stage *stages;
    prediction *predictions;
    int64_t *pairs, *owner; /* by pick; owner: the prediction of each pair, in the order of predictions */
    double *sets, *after;
} workspace;

static void workspace_close(workspace *w)
{
    free(w->stages), free(w->predictions), free(w->pairs), free(w->owner), free(w->sets), free(w->after);
}

/* Slots of predictions while they are in reach: the lowest free one. Returns the room for all sets, or -1 if too many meet. */
static int64_t give_slots(workspace *w, int64_t n_predictions, int64_t n_picks)
{
    int64_t total = 0;
    unsigned used = 0;
    for (int64_t k = 0; k < n_picks; k++) {
        for (int64_t j = 0; j < n_predictions; j++)
            if (w->predictions[j].first == k && w->predictions[j].last >= k) {
                int slot = 0;
                while (used >> slot & 1)
                    slot++;
                if (slot >= MATCHING_MOST)
                    return -1;
                used |= 1u << slot;
                w->predictions[j].slot = slot;
            }
        int bits = 0;
        while (used >> bits)
            bits++;
        w->stages[k].bits = bits;
        total += (int64_t)1 << bits;
        for (int64_t j = 0; j < n_predictions; j++)
            if (w->predictions[j].last == k && w->predictions[j].first <= k)
                used &= ~(1u << w->predictions[j].slot);
    }
    return total;
}

static double largest(const double *x, int64_t n)
{
    double top = 0;
    for (int64_t i = 0; i < n; i++)
        top = fmax(top, x[i]);
    return top;
}

/* Sums out the predictions that leave after pick k: whether they were used no longer matters. */
static void leave(const workspace *w, int64_t n_predictions, int64_t k, double *sets, int bits)
{
    for (int64_t j = 0; j < n_predictions; j++) {
        const prediction *p = w->predictions + j;
        if (p->last != k || p->first > k)
            continue;
        for (int64_t set = 0; set < (int64_t)1 << bits; set++)
            if (!(set >> p->slot & 1)) {
                sets[set] += sets[set | 1 << p->slot];
                sets[set | 1 << p->slot] = 0;
            }
    }
}

static double weight(const matching_problem *m, const workspace *w, const int64_t *pair_pick, int64_t pair)
{
    return exp(gain(m, w->owner[pair], pair_pick[pair]));
}

/* Returns the logarithm of what the sums at the last pick were divided by, so that they do not overflow. */
static double forward(const matching_problem *m, workspace *w, int64_t n_predictions, int64_t n_picks, int64_t j0,
                      const int64_t *pair_pick)
{
    double *sets = w->sets, log_divisor = 0;
    w->stages[0].sets = sets;
    memset(sets, 0, sizeof(double) << w->stages[0].bits);
    sets[0] = 1;
    for (int64_t k = 0; k + 1 < n_picks; k++) {
        const stage *s = w->stages + k;
        const int64_t n = (int64_t)1 << s->bits, n_next = (int64_t)1 << w->stages[k + 1].bits;
        memcpy(w->after, s->sets, sizeof(double) * n);
        for (int64_t i = 0; i < s->n; i++) {
            const int64_t pair = w->pairs[s->first + i], bit = (int64_t)1 << w->predictions[w->owner[pair] - j0].slot;
            const double factor = weight(m, w, pair_pick, pair);
            for (int64_t set = 0; set < n; set++)
                if (!(set & bit))
                    w->after[set | bit] += factor * s->sets[set];
        }
        leave(w, n_predictions, k, w->after, s->bits);
        double *next = w->stages[k + 1].sets = s->sets + n;
        const double divisor = largest(w->after, n), scale = 1 / divisor;
        log_divisor += log(divisor);
        for (int64_t set = 0; set < n_next; set++)
            next[set] = set < n ? w->after[set] * scale : 0;
    }
    return log_divisor;
}

/* Returns the logarithm of the sum over all matchings, but for what the sums of `forward` were divided by. */
static double backward(const matching_problem *m, workspace *w, int64_t n_predictions, int64_t n_picks, int64_t j0,
                       const int64_t *pair_pick, double *probability)
{
    double log_last = 0, *after = w->after, *before = w->after + ((int64_t)1 << MATCHING_MOST);
    for (int64_t k = n_picks - 1; k >= 0; k--) {
        const stage *s = w->stages + k;
        const int64_t n = (int64_t)1 << s->bits, n_next = k + 1 < n_picks ? (int64_t)1 << w->stages[k + 1].bits : 0;
        for (int64_t set = 0; set < n; set++)
            after[set] = k + 1 == n_picks ? 1 : set < n_next ? before[set] : 0;
        for (int64_t j = 0; j < n_predictions; j++) /* whether who leaves was used does not matter to what follows */
            if (w->predictions[j].last == k && w->predictions[j].first <= k)
                for (int64_t set = 0; set < n; set++)
                    if (set >> w->predictions[j].slot & 1)
                        after[set] = after[set ^ (int64_t)1 << w->predictions[j].slot];
        memcpy(before, after, sizeof(double) * n);
        double all = 0;
        for (int64_t i = 0; i < s->n; i++) {
            const int64_t pair = w->pairs[s->first + i], bit = (int64_t)1 << w->predictions[w->owner[pair] - j0].slot;
            const double factor = weight(m, w, pair_pick, pair);
            probability[pair] = 0;
            for (int64_t set = 0; set < n; set++)
                if (!(set & bit)) {
                    before[set] += factor * after[set | bit];
                    probability[pair] += factor * s->sets[set] * after[set | bit];
                }
        }
        for (int64_t set = 0; set < n; set++)
            all += s->sets[set] * before[set];
        if (k + 1 == n_picks)
            log_last = log(all);
        for (int64_t i = 0; i < s->n; i++)
            probability[w->pairs[s->first + i]] /= all;
        const double scale = 1 / largest(before, n);
        for (int64_t set = 0; set < n; set++)
            before[set] *= scale;
    }
    return log_last;
}

/* Pairs of a channel by pick, and the picks in reach of each prediction. */
static void sort_pairs(const int64_t *first_pair, const int64_t *pair_pick, int64_t j0, int64_t j1, int64_t k0, int64_t n_picks,
                       workspace *w)
{
    for (int64_t k = 0; k <= n_picks; k++)
        w->stages[k] = (stage){0};
    for (int64_t pair = first_pair[j0]; pair < first_pair[j1]; pair++)
        w->stages[pair_pick[pair] - k0].n++;
    for (int64_t k = 1; k <= n_picks; k++) {
        w->stages[k].first = w->stages[k - 1].first + w->stages[k - 1].n;
        w->stages[k - 1].n = 0;
    }
    for (int64_t j = j0; j < j1; j++) {
        w->predictions[j - j0] = (prediction){0, 0, -1};
        for (int64_t pair = first_pair[j]; pair < first_pair[j + 1]; pair++) {
            stage *s = w->stages + pair_pick[pair] - k0;
            w->owner[pair] = j;
            w->pairs[s->first + s->n++] = pair;
        }
        if (first_pair[j] < first_pair[j + 1])
            w->predictions[j - j0] = (prediction){0, pair_pick[first_pair[j]] - k0, pair_pick[first_pair[j + 1] - 1] - k0};
    }
}

int matching_sums(const matching_problem *m, const int64_t *first_pair, const int64_t *pair_pick, double *probability,
                  double *log_sum, int64_t *channel)
{
    int64_t n_most = 0, j_most = 0;
    for (int64_t c = 0; c < m->n_channels; c++) {
        const int64_t n = m->first_pick[c + 1] - m->first_pick[c], j = m->first_prediction[c + 1] - m->first_prediction[c];
        n_most = n > n_most ? n : n_most, j_most = j > j_most ? j : j_most;
    }
    const int64_t n_pairs = first_pair[m->first_prediction[m->n_channels]];
    workspace w = {malloc(sizeof(stage) * (n_most + 1)), malloc(sizeof(prediction) * (j_most + 1)),
                   malloc(sizeof(int64_t) * (n_pairs + 1)), malloc(sizeof(int64_t) * (n_pairs + 1)), NULL,
                   malloc(sizeof(double) << (MATCHING_MOST + 1))};
    int code = w.stages && w.predictions && w.pairs && w.owner && w.after ? MATCHING_OK : MATCHING_NO_MEMORY;
    for (int64_t c = 0; c < m->n_channels && code == MATCHING_OK; c++) {
        const int64_t j0 = m->first_prediction[c], j1 = m->first_prediction[c + 1], k0 = m->first_pick[c];
        const int64_t n_picks = m->first_pick[c + 1] - k0;
        log_sum[c] = 0;
        if (first_pair[j0] == first_pair[j1])
            continue;
        /* pairs_of this channel are numbered as in all: the places by pick are offset likewise */
        sort_pairs(first_pair, pair_pick, j0, j1, k0, n_picks, &w);
        const int64_t size = give_slots(&w, j1 - j0, n_picks);
        if (size < 0) {
            *channel = c;
            code = MATCHING_TOO_MANY;
            break;
        }
        free(w.sets);
        w.sets = malloc(sizeof(double) * size);
        if (!w.sets) {
            code = MATCHING_NO_MEMORY;
            break;
        }
        log_sum[c] = forward(m, &w, j1 - j0, n_picks, j0, pair_pick);
        log_sum[c] += backward(m, &w, j1 - j0, n_picks, j0, pair_pick, probability);
    }
    workspace_close(&w);
    return code;
}
