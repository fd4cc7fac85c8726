/* uplink_turn.c - the neighbours in turn, in bursts that one large send can carry.
 *
 * Whose path lets nothing go is left out until its time. */
#include "core/swarm/uplink_turn.h"

#define BURST_DATAGRAMS 8
#define PACED_NEVER_US (TIME_NEVER - 1) /* until something comes; TIME_NEVER: nobody is paced */

void uplink_paths_changed(struct node *n) {
    if (n->uplink.paced_until_us == TIME_NEVER) return;
    n->uplink.paced_until_us = TIME_NEVER;
    for (size_t i = 0; i < n->channels_len; i++)
        n->channels[i]->paced = (struct neighbour_set){{0}};
}

/* A path that is full is not asked again before its time, or before something came. */
static bool may_send(struct node *n, const struct neighbour *nb, uint64_t now_us) {
    uint64_t at_us = neighbour_is_doomed(nb) ? TIME_NEVER : link_cell_time(nb->link);
    if (at_us <= now_us) return true;
    if (at_us != TIME_NEVER) link_note_held(nb->link);
    neighbour_set_add(&nb->channel->paced, nb->at);
    n->uplink.paced_until_us = u64_min(n->uplink.paced_until_us, u64_min(at_us, PACED_NEVER_US));
    return false;
}

/* The first neighbour that may be sent something of the class, from place `*at` on, which counts
 * through all channels, and below `end`; NULL: there is none. */
static struct neighbour *find_ready(struct node *n, enum send_class class, size_t *at, size_t end,
                                    uint64_t now_us) {
    size_t base = 0;
    for (size_t i = 0; i < n->channels_len && base < end; i++) {
        struct channel *c = n->channels[i];
        const struct neighbour_set *waiting = &c->waiting[class];
        size_t k = neighbour_set_next_but(waiting, &c->paced, (size_t)u64_sub(*at, base));
        for (; k < NEIGHBOURS_MAX && base + k < end;
             k = neighbour_set_next_but(waiting, &c->paced, k + 1)) {
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

struct neighbour *uplink_turn_next(struct node *n, enum send_class class, uint64_t now_us) {
    size_t total = uplink_turns(n);
    if (total == 0) return NULL;
    size_t turn = n->uplink.turn % total, at = turn;
    struct neighbour *nb = find_ready(n, class, &at, total, now_us);
    if (nb == NULL) {
        at = 0;
        nb = find_ready(n, class, &at, turn, now_us);
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
