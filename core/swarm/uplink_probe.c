/* uplink_probe.c - what the uplink carries, before it has carried anything.
 *
 * As soon as a neighbour is there it is sent a short train of datagrams, and a longer one where the
 * short came too fast to tell; then the same to another neighbour, since what is narrow may be the
 * other end. Without it an uplink is a guess: too low, and a swarm that has come at once starves
 * beside idle uplinks; too high, and their queues fill. The figure stands until a queue of our own
 * media says better (capacity.h). Who has declared an uplink is not probed. */
#include "core/swarm/engine.h"

#define DATAGRAMS_FIRST 5 /* 70 ms at 0.7 Mb/s */
#define DATAGRAMS_LEAST 8
#define DATAGRAMS_MOST 32 /* 32 ms at 10 Mb/s */
#define SPAN_AIM_US (30 * US_PER_MS)
#define SPAN_SHORT_US (15 * US_PER_MS) /* of the first: jitter would be too much of it */
#define JITTER_US (4 * US_PER_MS)      /* by which any span may be too short */
#define RESULTS 2                      /* of different neighbours, where there are two */
#define TRAINS_MAX 6                   /* in all: what is lost, is sent again */
#define ANSWER_US (1500 * US_PER_MS)   /* the train itself, where it is long, and a round trip */
#define OTHER_US (2 * US_PER_S)        /* for another neighbour to be there */
#define IP_UDP_OVERHEAD 28

static bool is_over(const struct node *n) {
    const struct uplink *u = &n->uplink;
    return u->probe.results >= RESULTS || u->probe.trains >= TRAINS_MAX || u->rate_bps == 0 ||
           u->capacity.most_bps != NODE_UPLOAD_UNLIMITED;
}

/* Any for the first result, another than that one's for the second, where there is one. */
static struct neighbour *find(struct node *n, uint64_t now_us) {
    struct uplink_probe *p = &n->uplink.probe;
    struct neighbour *same = NULL;
    for (size_t i = 0; i < n->channels_len; i++)
        for (size_t k = 0; k < n->channels[i]->neighbours_len; k++) {
            struct neighbour *nb = n->channels[i]->neighbours[k];
            if (!nb->has_hello || nb->peer->is_doomed || link_state(nb->peer->link) != LINK_UP)
                continue;
            if (p->results == 0 || neighbour_id4(nb) != p->asked) return nb;
            same = nb;
        }
    return now_us - p->sent_us > OTHER_US ? same : NULL;
}

void uplink_probe_tick(struct node *n, uint64_t now_us) {
    struct uplink_probe *p = &n->uplink.probe;
    if (is_over(n) || (p->is_waiting && now_us - p->sent_us < ANSWER_US)) return;
    struct neighbour *nb = find(n, now_us);
    if (nb == NULL) return;
    if (p->datagrams == 0) p->datagrams = DATAGRAMS_FIRST;
    p->is_waiting = link_send_train(nb->peer->link, p->datagrams, now_us) == 0;
    p->asked = neighbour_id4(nb);
    p->sent_us = now_us;
    p->trains++;
}

void uplink_probe_take(struct node *n, struct link *link, const struct link_train *train,
                       uint64_t now_us) {
    struct uplink_probe *p = &n->uplink.probe;
    if (!p->is_waiting || load_u32(link_peer(link)->bytes) != p->asked) return;
    p->is_waiting = false;
    p->sent_us = now_us;
    if (train->came * 2 < train->sent) return; /* a queue that short says something else */
    if (train->span_us < SPAN_SHORT_US && p->datagrams < DATAGRAMS_MOST) {
        uint64_t more = (uint64_t)(train->came - 1) * SPAN_AIM_US / u64_max(train->span_us, 1) + 1;
        p->datagrams = (uint8_t)u64_min(u64_max(more, DATAGRAMS_LEAST), DATAGRAMS_MOST);
        uplink_probe_tick(n, now_us);
        return;
    }
    uint64_t bits = (uint64_t)(train->came - 1) * (train->bytes + IP_UDP_OVERHEAD) * 8;
    capacity_probed(&n->uplink.capacity, bits * US_PER_S / (train->span_us + JITTER_US));
    p->results++;
}
