/* supply_watch.c - whether each parent does its part, and what happens where one does not. */
#include <string.h>

#include "core/swarm/admission.h"
#include "core/swarm/engine.h"
#include "core/swarm/supply.h"

#define LATE_US (100 * US_PER_MS)    /* of cells that others' heads announce */
#define OVERDUE_US (150 * US_PER_MS) /* after its head, a cell that has not come */
#define LATE_CHUNKS 3                /* that lack cells of one substream */
#define OWED_US (500 * US_PER_MS)
#define OWED_LEAST 15                    /* chunks */
#define LATE_MOVES 4                     /* parents that are given up for lateness in one period: */
#define LATE_PERIOD_US (200 * US_PER_MS) /* where all are late, moving makes it worse */
#define DRY_US (1500 * US_PER_MS) /* a substream of a chunk of one cell comes once in 16 chunks */
#define LOOP_WAIT_US (300 * US_PER_MS)     /* for whoever closed a circle to leave it */
#define QUIET_MOST_US (400 * US_PER_MS)    /* at most */
#define PROBE_ANSWER_US (60 * US_PER_MS)   /* acknowledged in 25, and jitter */
#define PARENT_SILENT_US (250 * US_PER_MS) /* a parent that sends nothing at all meanwhile */
#define BALANCE_PERIOD_US (500 * US_PER_MS)
#define MEDIA_FLOWS_US (100 * US_PER_MS) /* something came: the source is on air */
#define SOURCE_SILENT_US (1 * US_PER_S)  /* in which others show that it is not */
#define LATE_ALIVE_US (1000 * US_PER_MS) /* a parent that lives repairs its own supply first */

/* What a new parent is to make up for: the holes of the last half second; older ones are repaired
 * one by one. Before anything was played, all from the start. */
uint32_t supply_owed_from(const struct stream *s) {
    uint32_t hole = stream_first_hole(s);
    uint32_t owed = (uint32_t)u64_max(OWED_US / s->period_us, OWED_LEAST);
    if (!s->has_played || s->window.newest < owed) return hole;
    uint32_t least = s->window.newest - owed;
    return hole > least ? hole : least;
}

static void assign(struct channel *c, struct stream *s, unsigned index, uint64_t now_us) {
    struct supply *supply = &s->supplies[index];
    struct neighbour *nb = supply_best(c, s, index, false, now_us);
    if (nb == NULL) return;
    if (now_us < supply->retry_us && !supply_has_room(nb, s, index, now_us)) return;
    nb->spare_bps = u64_sub(nb->spare_bps, admission_cost_bps(s, index));
    supply->parent = nb;
    trace_supply(nb, TRACE_ASKED, s->track, index);
    supply_begin(supply, now_us);
    nb->streams[s->track].starved = true;
    supply->owes_from = s->has_start ? supply_owed_from(s) : 0;
    supply_ask(s, nb, index, s->has_start ? supply->owes_from : FROM_RANDOM_ACCESS);
}

/* Of each substream; 0 where there is no parent. */
static void all_patience(const struct stream *s, uint64_t ret_us[SUBSTREAMS_MAX]) {
    for (unsigned i = 0; i < s->substreams; i++)
        ret_us[i] = s->supplies[i].parent == NULL ? 0 : supply_patience_us(&s->supplies[i]);
}

/* Of the recent chunks: how many lack overdue cells of each substream. */
static void count_late(struct stream *s, uint64_t now_us, uint8_t ret[SUBSTREAMS_MAX]) {
    memset(ret, 0, SUBSTREAMS_MAX);
    s->overdue = 0;
    if (!s->window.has_newest || !s->has_start) return;
    uint64_t patience_us[SUBSTREAMS_MAX];
    bool has_patience = false; /* asked for where it matters: it is read off every parent */
    uint32_t number = s->window.newest > 64 ? s->window.newest - 64 : 0;
    if (number < s->start) number = s->start;
    for (; (number = window_next_hole(&s->window, number)) <= s->window.newest; number++) {
        const struct slot *slot = window_find(&s->window, number);
        if (slot == NULL || slot->chunk == NULL || now_us - slot->head_us < LATE_US) continue;
        if (!has_patience) all_patience(s, patience_us);
        has_patience = true;
        uint32_t late = 0;
        for (uint64_t missing = slot->missing; missing; missing &= missing - 1) {
            unsigned index = stream_substream(s, number, (uint32_t)__builtin_ctzll(missing));
            if (now_us - slot->head_us >= patience_us[index]) late |= 1u << index;
            uint64_t overdue_us = u64_max(patience_us[index], OVERDUE_US);
            if (now_us - slot->head_us >= overdue_us) s->overdue |= 1u << index;
        }
        for (; late; late &= late - 1) ret[__builtin_ctz(late)]++;
    }
}

/* Somebody has what our parent for heads has not sent. */
static bool others_are_ahead(const struct channel *c, const struct stream *s, uint64_t now_us) {
    if (now_us - c->media_us < u64_max(MEDIA_FLOWS_US, 2 * s->period_us)) return true;
    return rest_others_know_more(c, s, now_us);
}

static bool is_late(const struct channel *c, const struct stream *s, unsigned index,
                    const uint8_t late[SUBSTREAMS_MAX], uint64_t now_us) {
    const struct supply *supply = &s->supplies[index];
    uint64_t silent_us = now_us - rest_since_us(&c->rest, supply->arrived_us);
    /* One that sends nothing while requests fill its holes is late too. */
    bool is_dry = silent_us > DRY_US && s->window.has_newest && now_us - s->newest_us < LATE_US;
    if (index != SUPPLY_HEADS)
        return is_dry || (late[index] >= LATE_CHUNKS &&
                          silent_us >= LATE_ALIVE_US + neighbour_rtt_us(supply->parent));
    return silent_us > LATE_ALIVE_US + 2 * s->period_us && others_are_ahead(c, s, now_us);
}

/* How long a parent may be quiet: of what it gives us something is due sooner. A substream of small
 * chunks has nothing to send in most of them. */
static uint64_t quiet_us(const struct channel *c, const struct neighbour *nb) {
    uint64_t period_us = US_PER_S;
    for (size_t t = 0; t < c->streams_len; t++)
        if (nb->streams[t].granted || nb->streams[t].granted_heads)
            period_us = u64_min(period_us, c->streams[t].period_us);
    return u64_min(period_us + SUPPLY_QUIET_US, QUIET_MOST_US);
}

/* Nothing at all comes over the link. While others have newer media that says enough; where nobody
 * has, the source may be silent, so the parent is asked something that its link acknowledges. */
static bool is_silent(const struct channel *c, const struct stream *s, const struct supply *supply,
                      uint64_t now_us) {
    bool has_arrived = supply->arrived_us != supply->asked_us;
    struct neighbour *nb = supply->parent;
    if (has_arrived && now_us - supply->arrived_us <= SUPPLY_QUIET_US) return false; /* the least */
    uint64_t after_us = quiet_us(c, nb);
    if (has_arrived && now_us - supply->arrived_us <= after_us) return false;
    uint64_t rtt_us = neighbour_rtt_us(nb);
    /* One that has just been asked may have been idle before. */
    uint64_t heard_us = u64_max(neighbour_received_us(nb), supply->asked_us);
    heard_us = rest_since_us(&c->rest, heard_us);
    if (heard_us + after_us > now_us) return false;
    if (nb->probed_us <= heard_us) {
        link_ping(nb->peer->link, now_us);
        nb->probed_us = now_us;
    }
    /* A source of whose newer chunks nobody knows is silent for all. */
    bool may_rest = nb->role == ROLE_SOURCE && now_us - heard_us < SOURCE_SILENT_US;
    if (may_rest && !rest_others_know_more(c, s, now_us)) return false;
    if (now_us - nb->probed_us > PROBE_ANSWER_US + rtt_us) return true;
    uint64_t wait_us = u64_max(u64_max(PARENT_SILENT_US, 4 * rtt_us), after_us);
    return heard_us + wait_us < now_us && others_are_ahead(c, s, now_us);
}

static bool may_move_late(struct stream *s, uint64_t now_us) {
    if (now_us - s->late_since_us > LATE_PERIOD_US) {
        s->late_since_us = now_us;
        s->late_moves = 0;
    }
    return s->late_moves++ < LATE_MOVES;
}

/* A parent is gone. What it died of may have taken others: they are asked at once, since the next
 * one to turn to should be there. */
static void lose(struct channel *c, struct neighbour *gone, uint64_t now_us) {
    gone->lost_us = now_us;
    for (size_t i = 0; i < c->neighbours_len; i++) {
        struct neighbour *nb = c->neighbours[i];
        uint64_t heard_us = neighbour_received_us(nb);
        bool is_quiet = heard_us + SUPPLY_QUIET_US < now_us && nb->probed_us <= heard_us;
        if (!is_quiet || !supply_is_parent(c, nb) || link_state(nb->link) != LINK_UP) continue;
        link_ping(nb->link, now_us);
        nb->probed_us = now_us;
    }
}

static void check(struct channel *c, struct stream *s, unsigned index,
                  const uint8_t late[SUBSTREAMS_MAX], uint64_t now_us) {
    struct supply *supply = &s->supplies[index];
    if (supply->next != NULL && now_us - supply->next_asked_us > GRANT_WAIT_US * 2)
        supply_cancel_next(s, index, now_us);
    if (supply->parent == NULL) {
        assign(c, s, index, now_us);
        return;
    }
    bool is_unanswered = !supply->is_granted && now_us - supply->asked_us > GRANT_WAIT_US &&
                         now_us - supply->asked_us > 3 * neighbour_rtt_us(supply->parent);
    bool is_loop = supply->loop_us != 0 && now_us - supply->loop_us > LOOP_WAIT_US;
    /* What else it was just asked for, it will not answer either. What flowed is judged by itself:
     * a process that got no processor for a while is soon back. */
    bool is_given_up = !supply->is_granted && neighbour_is_lost(supply->parent);
    bool is_gone = is_unanswered || is_loop || is_given_up || is_silent(c, s, supply, now_us);
    if (!is_gone && !(is_late(c, s, index, late, now_us) && may_move_late(s, now_us))) return;
    enum trace_decision why = is_unanswered ? TRACE_UNANSWERED
                              : is_loop     ? TRACE_LOOP
                              : is_gone     ? TRACE_SILENT
                                            : TRACE_LATE;
    trace_supply(supply->parent, why, s->track, index);
    /* One that promises and does not deliver is asked less and less often. */
    struct neighbour_stream *ns = &supply->parent->streams[s->track];
    bool is_counted = now_us < ns->refused_some_until_us; /* another substream of it, just now */
    /* A path that is cut is nobody's fault: who is heard again may be asked again. */
    uint64_t asked_us = why == TRACE_SILENT ? supply->parent->probed_us : supply->asked_us;
    bool is_cut = neighbour_received_us(supply->parent) < asked_us;
    ns->cut_us = is_cut ? now_us : 0;
    bool is_lost = is_cut && (why == TRACE_SILENT || why == TRACE_UNANSWERED);
    if (is_lost) lose(c, supply->parent, now_us);
    if (!is_cut && !is_counted && ns->failures < FAILURES_MAX) ns->failures++;
    supply_abandon(s, index, REFUSED_PAUSE_US << ns->failures >> 1, now_us);
    if (supply->parent == NULL) assign(c, s, index, now_us);
}

static bool grants(const struct neighbour_stream *ns, unsigned index) {
    return index == SUPPLY_HEADS ? ns->granted_heads : ns->granted >> index & 1;
}

/* Before the manifest is known: one neighbour at a time is asked for all of the first tracks, so
 * that media comes one round trip after the dial. */
static void subscribe_eagerly(struct channel *c, uint64_t now_us) {
    if (now_us < c->eager_us) return;
    struct neighbour *best = NULL;
    for (size_t i = 0; i < c->neighbours_len; i++) {
        struct neighbour *nb = c->neighbours[i];
        if (!supply_is_usable(nb) || nb->streams[0].asked ||
            nb->streams[0].refused_until_us > now_us)
            continue;
        bool is_better = best == NULL || (nb->has_hello && !best->has_hello) ||
                         (nb->broadcast > best->broadcast);
        if (is_better) best = nb;
    }
    if (best == NULL) return;
    for (size_t t = 0; t < EAGER_TRACKS && t < best->streams_len; t++) {
        struct neighbour_stream *ns = &best->streams[t];
        ns->asked = (1u << SUBSTREAMS_MAX) - 1;
        ns->asked_heads = ns->starved = ns->changed = true;
        ns->ask_from = FROM_RANDOM_ACCESS;
        trace_supply(best, TRACE_ASKED_ALL, (uint8_t)t, TRACE_INDEX_NONE);
        ns->has_ask_from = c->asks_changed = true;
    }
    c->eager_us = now_us + GRANT_WAIT_US;
}

/* The manifest came: what was asked before it becomes the streams' supplies. */
static void adopt_eager(struct channel *c, struct stream *s, uint64_t now_us) {
    for (size_t i = 0; i < c->neighbours_len; i++) {
        struct neighbour *nb = c->neighbours[i];
        struct neighbour_stream *ns = &nb->streams[s->track];
        ns->asked &= stream_all_substreams(s);
        ns->granted &= stream_all_substreams(s);
        for (unsigned index = 0; index < SUPPLIES; index++) {
            struct supply *supply = &s->supplies[index];
            if (!supply_asks(ns, index)) continue;
            bool is_refused = ns->has_grant && !grants(ns, index);
            if (supply->parent != NULL || is_refused) {
                supply_unask(s, nb, index, 0, now_us);
                continue;
            }
            supply->parent = nb;
            supply->is_granted = grants(ns, index);
            supply->owes_from = supply->is_granted && ns->has_grant_from ? ns->grant_from : 0;
            if (supply->is_granted) trace_supply(nb, TRACE_GRANTED, s->track, index);
            supply->asked_us = supply->arrived_us = now_us;
        }
    }
    s->is_adopted = true;
}

void supply_tick(struct channel *c, uint64_t now_us) {
    if (c->is_source) return;
    if (!c->has_manifest) {
        subscribe_eagerly(c, now_us);
        supply_flush(c, now_us);
        return;
    }
    bool balances = now_us >= c->balance_us && rest_is_settled(c, now_us);
    if (balances)
        c->balance_us =
            now_us + BALANCE_PERIOD_US / 2 + rng_below(&c->node->rng, BALANCE_PERIOD_US);
    for (size_t t = 0; t < c->streams_len; t++) {
        struct stream *s = &c->streams[t];
        if (!s->is_adopted) adopt_eager(c, s, now_us);
        if (s->has_end) continue;
        uint8_t late[SUBSTREAMS_MAX];
        count_late(s, now_us, late);
        for (unsigned index = 0; index < s->substreams; index++) check(c, s, index, late, now_us);
        check(c, s, SUPPLY_HEADS, late, now_us);
        if (!c->rest.is_on) supply_balance(c, s, balances, now_us);
    }
    supply_flush(c, now_us);
}
