/* Nodes by bands of time: a ring of growing lists. A node belongs to the band it was put into last; where it has left a list
 * for another, the entry left behind is stale and skipped. Included by eikonal3d.c alone. */

#include <stdint.h>
#include <stdlib.h>

#define BANDS 64
#define NO_BAND (-1)

typedef struct {
    int32_t *node;
    long n, room;
} node_list;

typedef struct {
    node_list list[BANDS], taken;
    double per_second; /* bands */
    int32_t now;       /* the band being taken */
    long waiting;      /* entries in all lists, stale ones too */
    int failed;        /* memory ran out */
} wave_queue;

/* Make room for `more` entries. Returns whether there is. */
static int list_reserve(node_list *list, long more)
{
    if (list->n + more <= list->room)
        return 1;
    const long room = 2 * (list->n + more) + 256;
    int32_t *grown = realloc(list->node, sizeof(int32_t) * room);
    if (!grown)
        return 0;
    list->node = grown;
    list->room = room;
    return 1;
}

/* Put a node, now in `*in`, into the band of its time. Times beyond the ring wait in its last band, to be put again. */
static inline void queue_put(wave_queue *queue, int32_t node, int32_t *in, double time)
{
    const double place = time * queue->per_second, last = (double)queue->now + BANDS - 1;
    int32_t band = place < last ? (int32_t)place : (int32_t)last;
    band = band < queue->now ? queue->now : band;
    node_list *list = &queue->list[band % BANDS];
    if (*in == band)
        return;
    if (!list_reserve(list, 1)) {
        queue->failed = 1;
        return;
    }
    *in = band;
    list->node[list->n++] = node;
    queue->waiting++;
}

/* The nodes of the earliest band that has any, valid until the next call; NULL when none is left. */
static const node_list *queue_take(wave_queue *queue)
{
    if (queue->waiting == 0 || queue->failed)
        return NULL;
    while (queue->list[queue->now % BANDS].n == 0)
        queue->now++;
    node_list *list = &queue->list[queue->now % BANDS], emptied = queue->taken;
    emptied.n = 0;
    queue->taken = *list;
    *list = emptied;
    queue->waiting -= queue->taken.n;
    return &queue->taken;
}

static void queue_close(wave_queue *queue)
{
    for (int b = 0; b < BANDS; b++)
        free(queue->list[b].node);
    free(queue->taken.node);
}
