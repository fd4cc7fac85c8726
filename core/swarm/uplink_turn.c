/* uplink_turn.c - the neighbours in turn, in bursts that one large send can carry.
 *
 * A frame's cells to all children take an uplink that is in use the whole time until the next
 * frame: those that pass it on get it first, for what waits here waits once more in everybody
 * below. Whose path lets nothing go is left out until its time. */
#include "core/swarm/uplink_turn.h"

#include "core/swarm/admission.h"

#define BURST_DATAGRAMS 8
/* A turn comes once a frame where all that is granted takes the whole uplink, and a path that is
 * paced takes one datagram in it: who has waited for so long is sent to before others. */
#define WAITED_LONG_US (50 * US_PER_MS)
/* Sooner, bursts of loss make children mute that are there. */
#define MUTE_US (750 * US_PER_MS)
#define PACED_NEVER_US (TIME_NEVER - 1) /* until something comes; TIME_NEVER: nobody is paced */

/* Who comes first, of those that fresh cells wait for. */
enum rank { RANK_CARRIERS_BEHIND, RANK_CARRIERS, RANK_BEHIND, RANK_ALL, RANKS };

void uplink_paths_changed(struct node *n) {
    if (n->uplink.paced_until_us == TIME_NEVER) return;
    n->uplink.paced_until_us = TIME_NEVER;
    for (size_t i = 0; i < n->channels_len; i++)
        n->channels[i]->paced = (struct neighbour_set){{0}};
}

/* TIME_NEVER: before something came. Who acknowledges nothing is sent nothing: cells to a child
 * that had died took a fifth of a thin source's uplink for two seconds, until its window was full.
 */
static uint64_t path_time(const struct neighbour *nb, uint64_t now_us) {
    if (neighbour_is_doomed(nb) || !neighbour_acknowledges(nb, MUTE_US, now_us)) return TIME_NEVER;
    return link_cell_time(nb->link);
}

/* A path that is full is not asked again before its time, or before something came. */
static bool may_send(struct node *n, const struct neighbour *nb, uint64_t now_us) {
    uint64_t at_us = path_time(nb, now_us);
    if (at_us <= now_us) return true;
    if (at_us != TIME_NEVER) link_note_held(nb->link);
    neighbour_set_add(&nb->channel->paced, nb->at);
    n->uplink.paced_until_us = u64_min(n->uplink.paced_until_us, u64_min(at_us, PACED_NEVER_US));
    return false;
}

void uplink_turn_note_worth(struct neighbour *nb) {
    if (admission_is_carrier(nb))
        neighbour_set_add(&nb->channel->carriers, nb->at);
    else
        neighbour_set_remove(&nb->channel->carriers, nb->at);
}

void uplink_turn_tick(struct node *n, uint64_t now_us) {
    for (size_t i = 0; i < n->channels_len; i++) {
        struct channel *c = n->channels[i];
        const struct neighbour_set *fresh = &c->waiting[SEND_FRESH];
        c->behind = (struct neighbour_set){{0}};
        for (size_t k = neighbour_set_next(fresh, 0); k < NEIGHBOURS_MAX;
             k = neighbour_set_next(fresh, k + 1)) {
            const struct send_item *item = send_queue_peek(&c->neighbours[k]->queue, SEND_FRESH);
            if (item == NULL || send_item_waited_us(item, now_us) <= WAITED_LONG_US) continue;
            neighbour_set_add(&c->behind, k);
        }
    }
}

/* Of those that something of the class waits for. */
static struct neighbour_set of_rank(const struct channel *c, enum send_class class,
                                    enum rank rank) {
    struct neighbour_set set = c->waiting[class];
    if (rank == RANK_CARRIERS_BEHIND || rank == RANK_CARRIERS)
        neighbour_set_meet(&set, &c->carriers);
    if (rank == RANK_CARRIERS_BEHIND || rank == RANK_BEHIND) neighbour_set_meet(&set, &c->behind);
    return set;
}

/* The first neighbour of the rank that may be sent something of the class, from place `*at` on,
 * which counts through all channels, and below `end`; NULL: there is none. */
static struct neighbour *find_ready(struct node *n, enum send_class class, enum rank rank,
                                    size_t *at, size_t end, uint64_t now_us) {
    size_t base = 0;
    for (size_t i = 0; i < n->channels_len && base < end; i++) {
        struct channel *c = n->channels[i];
        struct neighbour_set waiting = of_rank(c, class, rank);
        size_t k = neighbour_set_next_but(&waiting, &c->paced, (size_t)u64_sub(*at, base));
        for (; k < NEIGHBOURS_MAX && base + k < end;
             k = neighbour_set_next_but(&waiting, &c->paced, k + 1)) {
            if (!may_send(n, c->neighbours[k], now_us)) continue;
            *at = base + k;
            return c->neighbours[k];
        }
        base += c->neighbours_len;
    }
    return NULL;
}

size_t uplink_turns(const struct node *n) {
    size_t total = 0;
    for (size_t i = 0; i < n->channels_len; i++) total += n->channels[i]->neighbours_len;
    return total;
}

static void count_turn(struct uplink *u, size_t at, size_t total) {
    u->burst = at == u->turn ? u->burst + 1 : 1;
    u->turn = (unsigned)at;
    if (u->burst < BURST_DATAGRAMS) return;
    u->turn = (unsigned)((at + 1) % total);
    u->burst = 0;
}

/* Of one rank; `*at` is its place. */
static struct neighbour *next_of(struct node *n, enum send_class class, enum rank rank,
                                 size_t total, size_t *at, uint64_t now_us) {
    size_t turn = n->uplink.turn % total;
    *at = turn;
    struct neighbour *nb = find_ready(n, class, rank, at, total, now_us);
    if (nb != NULL || turn == 0) return nb;
    *at = 0;
    return find_ready(n, class, rank, at, turn, now_us);
}

struct neighbour *uplink_turn_next(struct node *n, enum send_class class, uint64_t now_us) {
    size_t total = uplink_turns(n), at;
    if (total == 0) return NULL;
    struct neighbour *nb = NULL;
    for (enum rank rank = 0; nb == NULL && rank < RANKS; rank++) {
        bool is_used = rank == RANK_ALL || class == SEND_FRESH;
        if (is_used) nb = next_of(n, class, rank, total, &at, now_us);
    }
    if (nb != NULL) count_turn(&n->uplink, at, total);
    return nb;
}

uint64_t uplink_turn_deadline(const struct node *n) {
    bool is_waiting = false;
    for (size_t i = 0; i < n->channels_len; i++) {
        const struct channel *c = n->channels[i];
        for (enum send_class class = 0; class < SEND_CLASSES; class ++) {
            if (neighbour_set_is_empty(&c->waiting[class])) continue;
            if (neighbour_set_next_but(&c->waiting[class], &c->paced, 0) < NEIGHBOURS_MAX)
                return n->now_us;
            is_waiting = true;
        }
    }
    bool is_known = is_waiting && n->uplink.paced_until_us < PACED_NEVER_US;
    return is_known ? n->uplink.paced_until_us : TIME_NEVER;
}
