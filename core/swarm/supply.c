/* supply.c - whom we take each substream from.
 *
 * A standing pull: each substream has one parent, asked once, which sends every cell as it gets it.
 * One that is late, refuses or is gone is replaced at once, and the new one is asked for what it
 * owed, from the first hole of late on. Moves that are not urgent are made before they are broken:
 * when the new parent has said yes, from a chunk on that is yet to come, the old one is told to
 * send what is before that chunk and no more. */
#include "core/swarm/supply.h"

#include "core/swarm/engine.h"

#define DELAY_SAMPLE_MAX_US (500 * US_PER_MS)
#define USUAL_MAX_US (150 * US_PER_MS) /* leaves time for several requests within a second */
#define LEAST_WINDOW_US (2 * US_PER_S)
#define ARRIVAL_WEIGHT 32
#define ARRIVAL_MOST_US (500 * (int64_t)US_PER_MS) /* later than usual: of a backlog */
#define START_NEAR_CHUNKS 64
#define FETCH_MOST_US (750 * US_PER_MS) /* before now: a picture that others are asked for */
#define FETCH_FROM 6                    /* so many of them; of fewer */
#define FETCH_FEW_US (400 * US_PER_MS)
#define WAIT_MOST_US                                                                               \
    (1500 * US_PER_MS) /* so old, the next may be as far, and others may have room */

bool supply_asks(const struct neighbour_stream *ns, unsigned index) {
    return index == SUPPLY_HEADS ? ns->asked_heads : ns->asked >> index & 1;
}

void supply_ask(const struct stream *s, struct neighbour *nb, unsigned index, uint32_t from) {
    struct neighbour_stream *ns = &nb->streams[s->track];
    if (index == SUPPLY_HEADS)
        ns->asked_heads = true;
    else
        ns->asked |= 1u << index;
    ns->ask_from = ns->has_ask_from && ns->ask_from < from ? ns->ask_from : from;
    ns->has_ask_from = true;
    ns->changed = nb->channel->asks_changed = true;
}

void supply_unask(const struct stream *s, struct neighbour *nb, unsigned index, uint32_t until,
                  uint64_t now_us) {
    struct neighbour_stream *ns = &nb->streams[s->track];
    if (!supply_asks(ns, index)) return;
    if (until > ns->until) ns->until = until;
    if (now_us >= ns->former_until_us) {
        ns->former = 0;
        ns->former_heads = false;
    }
    if (index == SUPPLY_HEADS) {
        ns->asked_heads = ns->granted_heads = false;
        ns->former_heads = true;
    } else {
        ns->asked &= ~(1u << index);
        ns->granted &= ~(1u << index);
        ns->former |= 1u << index;
    }
    ns->former_until_us = now_us + FORMER_US;
    ns->changed = nb->channel->asks_changed = true;
}

void supply_begin(struct supply *supply, uint64_t now_us) {
    supply->is_granted = false;
    supply->has_delay = supply->has_arrival = false;
    supply->delay_us = supply->delay_var_us = 0;
    supply->loop_us = 0;
    supply->ancestors_len = 0;
    supply->asked_us = supply->arrived_us = now_us;
}

void supply_abandon(struct stream *s, unsigned index, uint64_t pause_us, uint64_t now_us) {
    struct supply *supply = &s->supplies[index];
    struct neighbour_stream *ns = &supply->parent->streams[s->track];
    supply_unask(s, supply->parent, index, 0, now_us);
    ns->refused_until_us = u64_max(ns->refused_until_us, now_us + pause_us);
    supply->parent = supply->next;
    supply->next = NULL;
    supply->owes_from = supply->next_owes_from;
    supply_begin(supply, now_us);
}

void supply_cancel_next(struct stream *s, unsigned index, uint64_t now_us) {
    struct supply *supply = &s->supplies[index];
    supply_unask(s, supply->next, index, 0, now_us);
    struct neighbour_stream *ns = &supply->next->streams[s->track];
    ns->better_until_us = now_us + BETTER_PAUSE_US;
    supply->next = NULL;
}

/* A verified head says where decoding can start before it. The parent's word, which nobody signed,
 * counts only for where the sound starts beside the picture, close before a head that is verified.
 */
void supply_set_start(struct stream *s, const struct neighbour *from, const struct head *h,
                      uint64_t now_us) {
    const struct neighbour_stream *ns = &from->streams[s->track];
    uint32_t start = h->number - h->random_access;
    bool is_near = ns->has_grant_from && ns->grant_from <= h->number &&
                   h->number - ns->grant_from < START_NEAR_CHUNKS;
    if (s->kind == TRACK_AUDIO && is_near) start = ns->grant_from;
    /* Its uplink has no room for what was. Where that is much, we take and pass on what comes from
     * here, and play from the next random access point, which comes about as soon; else the picture
     * is fetched from others (first.c). */
    uint64_t age_us = (uint64_t)h->random_access * h->duration_us;
    bool is_sent = ns->has_grant_from && ns->grant_from <= start;
    bool may_wait = ns->has_grant_from || age_us < WAIT_MOST_US;
    uint64_t most_us = from->channel->neighbours_len < FETCH_FROM ? FETCH_FEW_US : FETCH_MOST_US;
    bool waits = s->kind != TRACK_AUDIO && !is_sent && age_us > most_us && may_wait;
    if (waits) start = h->number;
    s->has_start = true;
    s->start_us = s->fed_us = now_us;
    s->start = start;
    s->has_play = !waits || h->flags & HEAD_RANDOM_ACCESS;
    s->play_next = start;
}

static void note_least(struct supply *supply, int64_t arrival_us, uint64_t now_us) {
    if (now_us - supply->least_since_us > LEAST_WINDOW_US) {
        supply->least_before_us = supply->least_us;
        supply->least_us = arrival_us;
        supply->least_since_us = now_us;
    }
    if (arrival_us < supply->least_us) supply->least_us = arrival_us;
}

int64_t supply_least_arrival_us(const struct supply *supply) {
    return supply->least_us < supply->least_before_us ? supply->least_us : supply->least_before_us;
}

void supply_arrived(struct stream *s, struct neighbour *nb, unsigned index, uint64_t delay_us,
                    uint64_t capture_us, uint64_t now_us) {
    struct supply *supply = &s->supplies[index];
    if (supply->parent != nb) return;
    supply->arrived_us = now_us;
    int64_t arrival_us = (int64_t)(now_us - capture_us);
    int64_t behind_us = supply->has_arrival ? arrival_us - supply->arrival_us : 0;
    if (!supply->has_arrival) {
        supply->arrival_us = supply->least_us = supply->least_before_us = arrival_us;
        supply->least_since_us = now_us;
    }
    supply->has_arrival = true;
    note_least(supply, arrival_us, now_us);
    if (behind_us < ARRIVAL_MOST_US) supply->arrival_us += behind_us / ARRIVAL_WEIGHT;
    if (delay_us > DELAY_SAMPLE_MAX_US) return; /* what was owed after an outage is not usual */
    if (!supply->has_delay) {
        supply->has_delay = true;
        supply->delay_us = (uint32_t)delay_us;
        supply->delay_var_us = (uint32_t)delay_us / 2;
        return;
    }
    /* RFC 6298's weights. */
    uint64_t error_us =
        delay_us > supply->delay_us ? delay_us - supply->delay_us : supply->delay_us - delay_us;
    supply->delay_var_us = (uint32_t)((3 * supply->delay_var_us + error_us) / 4);
    supply->delay_us = (uint32_t)((7 * supply->delay_us + delay_us) / 8);
}

uint64_t supply_patience_us(const struct supply *supply) {
    uint64_t usual_us = supply->delay_us + 4ull * supply->delay_var_us;
    return u64_min(usual_us, USUAL_MAX_US) + SUPPLY_PATIENCE_US +
           neighbour_rtt_us(supply->parent) * 3 / 2;
}

static void send_subscribe(struct channel *c, struct neighbour *nb, uint8_t track,
                           uint64_t now_us) {
    struct neighbour_stream *ns = &nb->streams[track];
    struct subscribe m = {
        .slot = c->index,
        .track = track,
        .generation = (uint16_t)(ns->generation + 1),
        .flags = (uint8_t)((ns->asked_heads ? SUBSCRIBE_HEADS : 0) |
                           (ns->starved ? SUBSCRIBE_STARVED : 0)),
        .substreams = ns->asked,
        .from = ns->has_ask_from ? ns->ask_from : 0,
        .until = ns->until,
    };
    uint8_t buffer[32];
    struct writer w = writer_init(buffer, sizeof buffer);
    subscribe_write(&w, &m);
    /* A full queue empties or the link ends: kept for the next tick. */
    if (link_send_message(nb->peer->link, buffer, writer_len(&w), now_us)) return;
    ns->generation = m.generation;
    ns->until = 0;
    ns->has_asked = true;
    ns->changed = ns->starved = ns->has_ask_from = false;
}

void supply_flush(struct channel *c, uint64_t now_us) {
    if (!c->asks_changed) return;
    c->asks_changed = false;
    for (size_t i = 0; i < c->neighbours_len; i++)
        for (uint8_t t = 0; t < c->neighbours[i]->streams_len; t++) {
            struct neighbour *nb = c->neighbours[i];
            if (nb->streams[t].changed && nb->hello_sent) send_subscribe(c, nb, t, now_us);
            c->asks_changed = c->asks_changed || nb->streams[t].changed;
        }
}
