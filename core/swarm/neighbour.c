#include "core/swarm/neighbour.h"

#include <stdlib.h>
#include <string.h>

#include "core/link/link.h"
#include "core/swarm/engine.h"

#define ASKED_FIRST 4 /* places in the table */

struct neighbour *neighbour_new(struct peer *peer, struct channel *channel, uint64_t now_us) {
    struct neighbour *nb = aligned_alloc(_Alignof(struct neighbour), sizeof *nb);
    if (nb == NULL) return NULL;
    memset(nb, 0, sizeof *nb);
    bool knows_tracks = channel != NULL && channel->has_manifest;
    if (!neighbour_set_tracks(nb, knows_tracks ? channel->streams_len : TRACKS_MAX)) {
        free(nb);
        return NULL;
    }
    nb->peer = peer;
    nb->link = peer->link;
    nb->channel = channel;
    nb->index = channel != NULL ? channel->index : 0;
    nb->since_us = now_us;
    nb->requests = (struct budget){.tokens = REQUESTS_BURST, .filled_us = now_us};
    nb->backlog = (struct budget){.tokens = BACKLOG_BURST, .filled_us = now_us};
    return nb;
}

bool neighbour_set_tracks(struct neighbour *nb, size_t tracks) {
    size_t old = nb->streams_len;
    if (tracks == 0) tracks = 1;
    size_t bytes = tracks * sizeof(struct neighbour_stream);
    struct neighbour_stream *streams = aligned_alloc(_Alignof(struct neighbour_stream), bytes);
    if (streams == NULL) return tracks <= old;
    memset(streams, 0, bytes);
    if (old > 0) memcpy(streams, nb->streams, size_min(old, tracks) * sizeof *streams);
    free(nb->streams);
    nb->streams = streams;
    nb->streams_len = (uint8_t)tracks;
    return true;
}

void peer_add_neighbour(struct peer *p, struct neighbour *nb) {
    struct neighbour **at = &p->neighbours;
    while (*at != NULL && (*at)->index < nb->index) at = &(*at)->peer_next;
    nb->peer = p;
    nb->link = p->link;
    nb->peer_next = *at;
    *at = nb;
}

void peer_remove_neighbour(struct peer *p, const struct neighbour *nb) {
    struct neighbour **at = &p->neighbours;
    while (*at != nb) at = &(*at)->peer_next;
    *at = nb->peer_next;
}

void neighbour_free(struct neighbour *nb) {
    if (nb == NULL) return;
    neighbour_drop_all_pending(nb);
    send_queue_release(&nb->queue);
    free(nb->streams);
    free(nb->pending);
    free(nb->asked);
    free(nb);
}

static void forget_asked(struct neighbour *nb) {
    free(nb->asked);
    nb->asked = NULL;
    nb->asked_capacity = 0;
}

void neighbour_trim(struct neighbour *nb, uint64_t now_us) {
    if (nb->pending_len == 0) {
        free(nb->pending);
        nb->pending = NULL;
    }
    uint64_t until_us = 0;
    for (size_t i = 0; i < nb->asked_capacity; i++)
        until_us = u64_max(until_us, nb->asked[i].until_us);
    if (until_us < now_us) forget_asked(nb);
    send_queue_trim(&nb->queue);
}

void neighbour_note_lateness(struct neighbour_stream *ns, uint64_t lateness_us) {
    ns->failures = 0;
    if (!ns->has_lateness) ns->lateness_us = (int32_t)lateness_us;
    ns->has_lateness = true;
    ns->lateness_us += ((int32_t)lateness_us - ns->lateness_us) / LATENESS_WEIGHT;
}

uint64_t neighbour_rtt_us(const struct neighbour *nb) { return link_rtt_us(nb->link); }

uint64_t neighbour_received_us(const struct neighbour *nb) { return link_received_us(nb->link); }

bool neighbour_is_silent(const struct neighbour *nb, uint64_t now_us) {
    return neighbour_received_us(nb) + SILENT_US + 2 * neighbour_rtt_us(nb) < now_us;
}

bool neighbour_acknowledges(const struct neighbour *nb, uint64_t within_us, uint64_t now_us) {
    const struct link *link = nb->link;
    if (link_state(link) != LINK_UP || link_bytes_in_flight(link) == 0) return true;
    return link_received_us(link) + within_us + link_rtt_us(link) >= now_us;
}

bool neighbour_is_lost(const struct neighbour *nb) {
    return nb->lost_us != 0 && neighbour_received_us(nb) <= nb->lost_us;
}

uint32_t neighbour_id4(const struct neighbour *nb) {
    return load_u32(link_peer(nb->peer->link)->bytes);
}

bool neighbour_holds(const struct neighbour *nb, uint8_t track, uint32_t number) {
    const struct neighbour_stream *ns = &nb->streams[track];
    if (!ns->has_held || number > ns->newest || ns->newest - number >= 64) return false;
    return ns->complete >> (ns->newest - number) & 1;
}

void neighbour_take_held(struct neighbour *nb, const struct held *held, uint64_t now_us) {
    if (held->track >= nb->streams_len) return;
    struct neighbour_stream *ns = &nb->streams[held->track];
    if (ns->has_held && held->newest < ns->newest) {
        /* Overtaken by a newer one on the way: only what it adds. */
        uint32_t back = ns->newest - held->newest;
        if (back < 64) ns->complete |= held->complete << back;
        return;
    }
    if (!ns->has_held || held->newest > ns->newest) ns->newest_us = now_us;
    ns->has_held = true;
    ns->newest = held->newest;
    ns->complete = held->complete;
}

bool neighbour_keep_pending(struct neighbour *nb, const struct pending_cell *cell,
                            const uint8_t *payload) {
    if (nb->pending_len == PENDING_CELLS_MAX) return false;
    if (nb->pending == NULL) nb->pending = calloc(PENDING_CELLS_MAX, sizeof nb->pending[0]);
    if (nb->pending == NULL) return false;
    for (size_t i = 0; i < PENDING_CELLS_MAX; i++) {
        struct pending_cell *at = &nb->pending[i];
        if (at->payload != NULL) continue;
        uint8_t *copy = malloc(cell->len);
        if (copy == NULL) return false;
        memcpy(copy, payload, cell->len);
        *at = *cell;
        at->payload = copy;
        nb->pending_len++;
        return true;
    }
    return false;
}

void neighbour_drop_pending(struct neighbour *nb, struct pending_cell *cell) {
    free(cell->payload);
    memset(cell, 0, sizeof *cell);
    nb->pending_len--;
}

void neighbour_drop_all_pending(struct neighbour *nb) {
    for (size_t i = 0; i < PENDING_CELLS_MAX && nb->pending_len > 0; i++)
        if (nb->pending[i].payload != NULL) neighbour_drop_pending(nb, &nb->pending[i]);
}

struct asked_cells *neighbour_asked(struct neighbour *nb, uint8_t track, uint32_t number) {
    for (size_t i = 0; i < nb->asked_capacity; i++) {
        struct asked_cells *a = &nb->asked[i];
        if (a->until_us != 0 && a->track == track && a->number == number) return a;
    }
    return NULL;
}

/* A place in the table that is free or whose time is over; NULL: there is none. */
static struct asked_cells *asked_place(struct neighbour *nb, uint64_t now_us) {
    for (size_t i = 0; i < nb->asked_capacity; i++)
        if (nb->asked[i].until_us < now_us || nb->asked[i].until_us == 0) return &nb->asked[i];
    unsigned old = nb->asked_capacity, capacity = old == 0 ? ASKED_FIRST : old * 2;
    if (capacity > ASKED_CELLS_MAX) return NULL;
    struct asked_cells *asked = realloc(nb->asked, capacity * sizeof *asked);
    if (asked == NULL) return NULL;
    memset(&asked[old], 0, (capacity - old) * sizeof *asked);
    nb->asked = asked;
    nb->asked_capacity = (uint8_t)capacity;
    return &asked[old];
}

bool neighbour_ask(struct neighbour *nb, uint8_t track, uint32_t number, uint64_t cells, bool head,
                   uint64_t until_us, uint64_t now_us) {
    struct asked_cells *a = neighbour_asked(nb, track, number);
    if (a == NULL) {
        a = asked_place(nb, now_us);
        if (a == NULL) return false;
        *a = (struct asked_cells){.track = track, .number = number};
    }
    a->cells |= cells;
    a->head = a->head || head;
    a->asked_us = now_us;
    a->until_us = u64_max(a->until_us, until_us);
    return true;
}

bool neighbour_expects_cell(struct neighbour *nb, uint8_t track, uint32_t number, uint8_t index,
                            uint8_t substream, uint64_t now_us) {
    const struct neighbour_stream *ns = &nb->streams[track];
    if (ns->asked >> substream & 1) return true;
    if (now_us < ns->former_until_us && ns->former >> substream & 1) return true;
    const struct asked_cells *a = neighbour_asked(nb, track, number);
    return a != NULL && now_us <= a->until_us && a->cells >> index & 1;
}

bool neighbour_expects_head(struct neighbour *nb, uint8_t track, uint32_t number, uint64_t now_us) {
    const struct neighbour_stream *ns = &nb->streams[track];
    if (ns->asked_heads || (ns->former_heads && now_us < ns->former_until_us)) return true;
    const struct asked_cells *a = neighbour_asked(nb, track, number);
    return a != NULL && now_us <= a->until_us && a->head;
}

bool budget_spend(struct budget *b, double cost, double burst, double per_s, uint64_t now_us) {
    b->tokens += (double)(now_us - b->filled_us) * per_s / (double)US_PER_S;
    if (b->tokens > burst || b->filled_us == 0) b->tokens = burst;
    b->filled_us = now_us;
    if (b->tokens < cost) return false;
    b->tokens -= cost;
    return true;
}

bool neighbour_spend_requests(struct neighbour *nb, unsigned cells, uint64_t now_us) {
    return budget_spend(&nb->requests, cells, REQUESTS_BURST, REQUESTS_PER_S, now_us);
}

bool neighbour_spend_backlog(struct neighbour *nb, uint64_t now_us) {
    return budget_spend(&nb->backlog, 1, BACKLOG_BURST, BACKLOG_PER_S, now_us);
}

bool neighbour_mark_head(struct neighbour *nb, uint8_t track, uint32_t number) {
    struct neighbour_stream *ns = &nb->streams[track];
    if (ns->heads_sent == 0 || (number > ns->heads_newest && number - ns->heads_newest >= 64)) {
        ns->heads_newest = number;
        ns->heads_sent = 1;
        return true;
    }
    if (number > ns->heads_newest) {
        ns->heads_sent = ns->heads_sent << (number - ns->heads_newest) | 1;
        ns->heads_newest = number;
        return true;
    }
    uint32_t back = ns->heads_newest - number;
    if (back >= 64 || ns->heads_sent >> back & 1) return back >= 64;
    ns->heads_sent |= 1ull << back;
    return true;
}

void neighbour_reset_streams(struct neighbour *nb) {
    for (size_t i = 0; i < nb->streams_len; i++) {
        /* Generations go on, so that what is still on its way is told from what is new. */
        struct neighbour_stream *ns = &nb->streams[i];
        *ns = (struct neighbour_stream){.generation = ns->generation,
                                        .child_generation = ns->child_generation,
                                        .child_revision = ns->child_revision};
    }
    send_queue_clear(&nb->queue);
    neighbour_drop_all_pending(nb);
    forget_asked(nb);
}
