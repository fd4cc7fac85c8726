/* repair.c - holes: cells and heads that did not come by themselves are asked for one by one.
 *
 * What a link lost between parent and child the parent sends again by itself (serve_lost), so a
 * hole is given that time first. Then a neighbour is asked that holds the chunk, as it says, or as
 * its lag does; another one each time. Requests have a budget, and whole substreams without a
 * parent are left alone: where much is missing all are short of uplink. */
#include "core/swarm/repair.h"

#include "core/base/err.h"
#include "core/swarm/engine.h"

#define BACKLOG_WAIT_US                                                                            \
    (500 * US_PER_MS) /* after the start: the first parent sends the backlog                       \
                       */
#define BACKLOG_HEADS_WAIT_US (150 * US_PER_MS) /* its heads go first */
#define UNOWED_WAIT_US (100 * US_PER_MS) /* what the parent before has sent may be on its way */
#define HEAD_WAIT_US (30 * US_PER_MS)
#define REPAIR_WAIT_US (30 * US_PER_MS) /* for an answer, and one and a half round trips */
#define REPAIR_LATE_US (2 * US_PER_S)   /* holes older than this are left */
#define REPAIR_CHUNKS 128               /* looked at in one tick, from the first hole on */
#define STARVED_LEAST 1                 /* substreams, and an eighth of all, may lack a parent; */
#define STARVED_US (1500 * US_PER_MS)   /* with more for so long nothing is repaired */
#define OFFER_OLD 3                     /* periods: three were lost, its lag may be another */
#define HELD_MARGIN_US (50 * (int64_t)US_PER_MS) /* beyond its lag: it varies */
#define OTHERS_FIRST 2 /* requests of a chunk that do not go to the source */
#define REQUESTS_A_TICK 16
#define REPAIRS_BURST 400           /* cells: a second of 3 Mb/s, */
#define REPAIRS_PER_S 8             /* and a fortieth of it: more makes a shortage worse */
#define BACKOFF_MAX 3               /* doublings of the wait for an answer */
#define URGENT_US (150 * US_PER_MS) /* after a chunk was first heard of */

bool repair_can_ask(const struct neighbour *nb, uint64_t now_us) {
    if (nb->probed_us > neighbour_received_us(nb) || neighbour_is_silent(nb, now_us)) return false;
    return nb->has_hello && nb->follows == nb->channel->manifest.broadcast &&
           nb->flags & PEER_UPLOADS && !neighbour_is_doomed(nb) && link_state(nb->link) == LINK_UP;
}

/* It was asked for this already, and has had no time to be asked again. */
static bool was_asked(struct neighbour *nb, const struct stream *s, uint32_t number, uint64_t cells,
                      uint64_t now_us) {
    const struct asked_cells *a = neighbour_asked(nb, s->track, number);
    if (a == NULL || now_us > a->until_us) return false;
    return cells == 0 ? a->head : (a->cells & cells) != 0;
}

/* It is not told of each chunk at once; but what it has by its own word it had within its lag. */
static bool probably_holds(const struct channel *c, const struct neighbour *nb,
                           const struct stream *s, const struct slot *slot, uint64_t now_us) {
    const struct neighbour_stream *ns = &nb->streams[s->track];
    if (nb->role == ROLE_SOURCE) return true;
    if (!ns->has_lags || now_us - nb->offered_us > OFFER_OLD * channel_tell_us(c) ||
        slot->chunk == NULL)
        return false;
    if (ns->has_held && slot->number <= ns->newest) return false; /* it said that it does not */
    uint8_t most = 0;
    for (unsigned i = 0; i < s->substreams; i++)
        if (ns->lags[i] > most) most = ns->lags[i];
    if (most == LAG_NONE || !s->has_source_offset) return false;
    int64_t age_us = (int64_t)(now_us - slot->chunk->head->capture_us) - s->source_offset_us;
    return age_us > (int64_t)most * LAG_UNIT_US + HELD_MARGIN_US;
}

bool repair_holds(const struct neighbour *nb, const struct stream *s, const struct slot *slot,
                  uint64_t now_us) {
    return neighbour_holds(nb, s->track, slot->number) ||
           probably_holds(nb->channel, nb, s, slot, now_us);
}

/* Who is asked (for the head where `cells` is 0): a neighbour that holds the whole chunk, one that
 * is proven before others, from a random one on, and another one each time; where it is urgent,
 * failing that, the source or a parent, which may hold the cells already. */
static struct neighbour *choose_holder(const struct channel *c, const struct stream *s,
                                       const struct slot *slot, uint64_t cells, uint64_t now_us) {
    uint32_t number = slot->number;
    bool is_urgent = now_us - slot->seen_us > URGENT_US;
    /* All would ask the source, for more than it can give. */
    bool all_lack = rest_all_lack(s, number);
    struct neighbour *second = NULL;
    if (c->neighbours_len == 0) return NULL;
    size_t first = (size_t)rng_below(&c->node->rng, c->neighbours_len);
    for (size_t i = 0; i < c->neighbours_len; i++) {
        struct neighbour *nb = c->neighbours[(first + i) % c->neighbours_len];
        if (!repair_can_ask(nb, now_us) || (all_lack && nb->role == ROLE_SOURCE)) continue;
        bool holds = repair_holds(nb, s, slot, now_us);
        bool may_hold = is_urgent && !all_lack &&
                        (nb->role == ROLE_SOURCE || nb->streams[s->track].granted != 0);
        bool is_fresh = holds && !was_asked(nb, s, number, cells, now_us);
        /* The source has it for certain, and its uplink is everyone's: others first. */
        bool is_last_resort = nb->role == ROLE_SOURCE && slot->requests < OTHERS_FIRST;
        if (is_fresh && !is_last_resort && neighbour_is_proven(nb)) return nb;
        if (holds || may_hold) second = nb;
    }
    return second;
}

static uint64_t request(struct channel *c, struct stream *s, struct neighbour *nb, uint32_t number,
                        uint64_t cells, bool head, unsigned backoff, uint64_t now_us) {
    uint64_t until_us = now_us + (REPAIR_WAIT_US << backoff) + neighbour_rtt_us(nb) * 3 / 2;
    struct request m = {
        .slot = c->index,
        .track = s->track,
        .number = number,
        .cells = cells,
        .flags = head ? REQUEST_HEAD : 0,
        .deadline_ms = (uint16_t)((until_us - now_us) / US_PER_MS),
    };
    uint8_t buffer[32];
    struct writer w = writer_init(buffer, sizeof buffer);
    request_write(&w, &m);
    /* Answers are taken for a good while: one that comes late is still of use. */
    if (!neighbour_ask(nb, s->track, number, cells, head, until_us + US_PER_S, now_us)) return 0;
    if (link_send_message(nb->link, buffer, writer_len(&w), now_us)) return 0;
    trace_repair(nb, s->track, number, cells);
    return until_us;
}

/* What a tick asks each parent's link for at most once. */
struct patience {
    uint32_t known; /* bit i: substream i */
    uint64_t us[SUBSTREAMS_MAX];
};

static uint64_t patience_us(struct patience *p, const struct stream *s, unsigned substream) {
    if (!(p->known >> substream & 1))
        p->us[substream] = supply_patience_us(&s->supplies[substream]);
    p->known |= 1u << substream;
    return p->us[substream];
}

/* When the parent should have sent the cell: with the head, or where that came late, as usual after
 * the capture. */
static uint64_t due_us_of(const struct slot *slot, const struct supply *supply) {
    if (!supply->has_arrival) return slot->head_us;
    return u64_min(slot->head_us, slot->capture_us + (uint64_t)supply->arrival_us);
}

/* Cells that are missing, not asked for, and no longer to be waited for: those without a parent at
 * once, the others when the parent has had time for a repair of its own. */
static uint64_t overdue(const struct stream *s, const struct slot *slot, struct patience *patience,
                        bool is_joining, uint64_t now_us) {
    uint64_t missing = slot->missing;
    if (now_us < slot->request_until_us) missing &= ~slot->requested;
    uint64_t due = 0;
    for (; missing; missing &= missing - 1) {
        uint32_t index = (uint32_t)__builtin_ctzll(missing);
        unsigned substream = stream_substream(s, slot->number, index);
        const struct supply *supply = &s->supplies[substream];
        /* A parent that was asked after the head came owes it since then; one that took over later
         * does not owe it at all, nor does one that is asked where others have refused. */
        bool is_owed = supply->parent != NULL && slot->number >= supply->owes_from &&
                       (supply->is_granted || supply->refusals == 0);
        if (is_owed && is_joining) continue;
        uint64_t due_us = is_owed ? due_us_of(slot, supply) : slot->head_us;
        uint64_t since_us = is_owed ? u64_max(due_us, supply->asked_us) : due_us;
        uint64_t waited_us = now_us - since_us;
        if (waited_us < SUPPLY_PATIENCE_US) continue;
        if (waited_us >= (is_owed ? patience_us(patience, s, substream) : UNOWED_WAIT_US))
            due |= 1ull << index;
    }
    return due;
}

/* Where answers do not come everybody is short of uplink, and asking faster makes it worse. */
static unsigned backoff_of(const struct slot *slot) {
    return slot->requests < 2                  ? 0
           : slot->requests - 1u < BACKOFF_MAX ? slot->requests - 1u
                                               : BACKOFF_MAX;
}

static bool repair_head(struct channel *c, struct stream *s, struct slot *slot, uint64_t now_us) {
    if (now_us - slot->seen_us < HEAD_WAIT_US || now_us < slot->head_request_until_us) return false;
    struct neighbour *nb = choose_holder(c, s, slot, 0, now_us);
    if (nb == NULL) return false;
    uint64_t until_us = request(c, s, nb, slot->number, 0, true, backoff_of(slot), now_us);
    if (until_us == 0) return false;
    slot->head_request_until_us = until_us;
    slot->requests++;
    return true;
}

/* Where much is missing everybody is short of uplink, and asking for it twice makes it worse. */
static bool has_budget(struct channel *c, uint64_t now_us) {
    struct budget *b = &c->repairs;
    b->tokens += (double)(now_us - b->filled_us) * REPAIRS_PER_S / (double)US_PER_S;
    if (b->tokens > REPAIRS_BURST || b->filled_us == 0) b->tokens = REPAIRS_BURST;
    b->filled_us = now_us;
    return b->tokens >= 1;
}

bool repair_request(struct channel *c, struct stream *s, struct neighbour *nb, struct slot *slot,
                    uint64_t cells, bool head, uint64_t now_us) {
    uint64_t until_us = request(c, s, nb, slot->number, cells, head, backoff_of(slot), now_us);
    if (until_us == 0) return false;
    /* One clock for all that is asked of the chunk: the earliest answer that is due. */
    bool waits = (slot->requested & slot->missing) != 0 && now_us < slot->request_until_us;
    slot->requested |= cells;
    slot->requests++;
    slot->request_until_us = waits ? u64_min(slot->request_until_us, until_us) : until_us;
    return true;
}

static bool repair_cells(struct channel *c, struct stream *s, struct slot *slot,
                         struct patience *patience, bool is_joining, uint64_t now_us) {
    if (now_us - slot->head_us < SUPPLY_PATIENCE_US) return false; /* nobody's is less */
    uint64_t late_us = channel_lateness_us(c, slot->capture_us, now_us);
    if (stream_lateness_us(s, late_us, now_us) > REPAIR_LATE_US) return false;
    uint64_t cells = overdue(s, slot, patience, is_joining, now_us);
    if (cells == 0 || !has_budget(c, now_us)) return false;
    struct neighbour *nb = choose_holder(c, s, slot, cells, now_us);
    if (nb == NULL) return false;
    if (!repair_request(c, s, nb, slot, cells, false, now_us)) return false;
    c->repairs.tokens -= __builtin_popcountll(cells);
    return true;
}

/* Whole substreams that nobody supplies for long are not made up for cell by cell. */
static bool is_starved(struct stream *s, uint64_t now_us) {
    unsigned without = 0;
    for (unsigned index = 0; index < s->substreams; index++)
        without += s->supplies[index].parent == NULL || !s->supplies[index].is_granted;
    if (without <= STARVED_LEAST + s->substreams / 8u) s->fed_us = now_us;
    return now_us - s->fed_us > STARVED_US;
}

static void repair_stream(struct channel *c, struct stream *s, uint64_t now_us) {
    if (!s->has_start || !s->window.has_newest || is_starved(s, now_us)) return;
    if (now_us - s->start_us < BACKLOG_HEADS_WAIT_US) return;
    bool is_joining = now_us - s->start_us < BACKLOG_WAIT_US; /* its cells are on their way */
    uint32_t first = stream_first_hole(s);
    if (s->has_play && s->play_next > first) first = s->play_next;
    if (first < s->left_out_until) first = s->left_out_until;
    if (s->window.newest >= REPAIR_CHUNKS && first < s->window.newest - REPAIR_CHUNKS)
        first = s->window.newest - REPAIR_CHUNKS;
    unsigned requests = 0;
    struct patience patience = {0};
    for (uint32_t i = first; requests < REQUESTS_A_TICK; i++) {
        i = window_next_hole(&s->window, i);
        if (i > s->window.newest) return;
        /* A number that a later head has passed over is a hole, though nothing of it has come. */
        struct slot *slot = window_slot(&s->window, i, now_us);
        if (slot == NULL) return;
        if (slot->chunk == NULL)
            requests += repair_head(c, s, slot, now_us);
        else
            requests += repair_cells(c, s, slot, &patience, is_joining, now_us);
    }
}

void repair_tick(struct channel *c, uint64_t now_us) {
    if (c->is_source) return;
    for (size_t t = 0; t < c->streams_len; t++) repair_stream(c, &c->streams[t], now_us);
}

void repair_take_gap(struct neighbour *nb, const struct gap *m, uint64_t now_us) {
    struct stream *s = channel_stream(nb->channel, m->track);
    if (s == NULL) return;
    struct slot *slot = window_find(&s->window, m->number);
    struct neighbour_stream *ns = &nb->streams[m->track];
    if (ns->has_held && m->number <= ns->newest && ns->newest - m->number < 64)
        ns->complete &= ~(1ull << (ns->newest - m->number));
    struct asked_cells *asked = neighbour_asked(nb, m->track, m->number);
    if (slot == NULL || asked == NULL || window_is_whole(&s->window, slot)) return;
    /* At once elsewhere, but not faster than a neighbour that always says no could drive us. */
    slot->requested &= ~m->cells;
    uint64_t again_us = now_us + (TICK_US << backoff_of(slot));
    slot->request_until_us = again_us; /* or for the head */
}

/* A cell came that was asked for one by one: where another neighbour was asked for it too, it is
 * told. */
void repair_arrived(struct channel *c, struct slot *slot, uint8_t track, uint32_t index,
                    struct neighbour *from, uint64_t now_us) {
    uint64_t bit = 1ull << index;
    if (!(slot->requested & bit)) return;
    slot->requested &= ~bit;
    struct asked_cells *asked = neighbour_asked(from, track, slot->number);
    if (asked != NULL && asked->cells & bit) {
        slot->repaired = true;
        return;
    }
    for (size_t i = 0; i < c->neighbours_len; i++) {
        struct neighbour *nb = c->neighbours[i];
        asked = nb == from ? NULL : neighbour_asked(nb, track, slot->number);
        if (asked == NULL || !(asked->cells & bit)) continue;
        uint8_t buffer[32];
        struct writer w = writer_init(buffer, sizeof buffer);
        cancel_write(&w,
                     &(struct cancel){
                         .slot = c->index, .track = track, .number = slot->number, .cells = bit});
        if (link_send_message(nb->link, buffer, writer_len(&w), now_us))
            c->stats.messages_dropped++;
    }
}
