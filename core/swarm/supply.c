/* supply.c - whom we take each substream from.
 *
 * A standing pull: each substream has one parent, asked once, which sends every cell as it gets it.
 * A parent is chosen by how late its media comes, by how much it carries for us already, and so
 * that nobody stands above itself. One that is late, refuses or is gone is replaced at once, and
 * what it owed is asked for from the new one, from the first hole on. Moves that are not urgent are
 * made before they are broken: the old parent goes when the new one has said yes. */
#include <string.h>

#include "core/base/err.h"
#include "core/swarm/engine.h"

#define PARENTS_TARGET 6
#define ANSWER_WAIT_US                                                                             \
    (300 * US_PER_MS)             /* for a GRANT, and three round trips where that is more         \
                                   */
#define LATE_US (100 * US_PER_MS) /* of cells that others' heads announce */
#define NEW_PARENT_COST_US (40 * (int64_t)US_PER_MS)
#define SOURCE_COST_US (30 * (int64_t)US_PER_MS)
#define UNKNOWN_COST_US (100 * (int64_t)US_PER_MS) /* of a neighbour that has sent nothing yet */
#define LOAD_COST_US (10 * (int64_t)US_PER_MS)     /* of each substream that it carries already */
#define FEW_NEIGHBOURS 3
#define CELLS_GAIN_US (60 * (int64_t)US_PER_MS) /* for which a substream moves */
#define HEADS_GAIN_US (15 * (int64_t)US_PER_MS) /* for which the heads move to another parent */
#define DELAY_SAMPLE_MAX_US (500 * US_PER_MS)
#define USUAL_MAX_US (250 * US_PER_MS) /* leaves time for three requests within a second */
#define PATIENCE_US (20 * US_PER_MS)
#define DRY_US (1500 * US_PER_MS) /* a substream of a chunk of one cell comes once in 16 chunks */
#define LOOP_NEW_US US_PER_S /* a parent that we have moved to in this time closes the circle */
#define LOOP_WAIT_US (300 * US_PER_MS)     /* for whoever closed it to leave */
#define LATE_CHUNKS 3                      /* that lack cells of one substream */
#define PARENT_SILENT_US (250 * US_PER_MS) /* a parent that sends nothing at all meanwhile */
#define REFUSED_PAUSE_US (1 * US_PER_S)
#define BALANCE_PERIOD_US (500 * US_PER_MS)
#define BALANCE_MOVES 2 /* of one stream in one period */
#define START_NEAR_CHUNKS 64
#define EAGER_TRACKS 2 /* subscribed to before the manifest says which there are */

static bool asks(const struct neighbour_stream *ns, unsigned index) {
    return index == SUPPLY_HEADS ? ns->asked_heads : ns->asked >> index & 1;
}

static bool grants(const struct neighbour_stream *ns, unsigned index) {
    return index == SUPPLY_HEADS ? ns->granted_heads : ns->granted >> index & 1;
}

static void ask(const struct stream *s, struct neighbour *nb, unsigned index, uint32_t from) {
    struct neighbour_stream *ns = &nb->streams[s->track];
    if (index == SUPPLY_HEADS)
        ns->asked_heads = true;
    else
        ns->asked |= 1u << index;
    ns->ask_from = ns->has_ask_from && ns->ask_from < from ? ns->ask_from : from;
    ns->has_ask_from = true;
    ns->changed = true;
}

static void unask(const struct stream *s, struct neighbour *nb, unsigned index, uint64_t now_us) {
    struct neighbour_stream *ns = &nb->streams[s->track];
    if (!asks(ns, index)) return;
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
    ns->changed = true;
}

static bool is_usable(const struct neighbour *nb) {
    enum link_state state = link_state(nb->peer->link);
    return !nb->peer->is_doomed && state != LINK_CLOSED &&
           (!nb->has_hello || nb->flags & PEER_UPLOADS);
}

static bool may_supply(const struct channel *c, const struct stream *s, const struct neighbour *nb,
                       unsigned index, uint64_t now_us) {
    const struct neighbour_stream *ns = &nb->streams[s->track];
    if (!is_usable(nb) || now_us < ns->refused_until_us || asks(ns, index)) return false;
    if (nb->has_hello && nb->broadcast != c->manifest.broadcast) return false;
    if (link_state(nb->peer->link) == LINK_UP && neighbour_is_silent(nb, now_us)) return false;
    bool is_our_child =
        index == SUPPLY_HEADS ? ns->child_heads : (ns->child_granted >> index & 1) != 0;
    return !is_our_child;
}

static unsigned load_of(const struct neighbour *nb, const struct stream *s) {
    return (unsigned)__builtin_popcount(nb->streams[s->track].asked);
}

/* Each parent costs acknowledgements and headers of its own: fewer and fuller ones are cheaper. */
static bool is_parent(const struct channel *c, const struct neighbour *nb) {
    for (size_t t = 0; t < c->streams_len; t++)
        if (nb->streams[t].asked || nb->streams[t].asked_heads) return true;
    return false;
}

/* How late media comes from it: as measured, or a guess that prefers the source. */
static int64_t lateness_of(const struct neighbour *nb, const struct neighbour_stream *ns) {
    if (ns->has_lateness) return ns->lateness_us;
    return (int64_t)neighbour_rtt_us(nb) / 2 + (nb->role == ROLE_SOURCE ? 0 : UNKNOWN_COST_US);
}

/* What taking a substream from `nb` costs, in microseconds of lateness: the less the better. */
static int64_t cost_of(const struct channel *c, const struct stream *s, const struct neighbour *nb,
                       unsigned index, uint64_t now_us) {
    const struct neighbour_stream *ns = &nb->streams[s->track];
    int64_t cost = lateness_of(nb, ns);
    if (link_state(nb->peer->link) == LINK_DIALLING) cost += 10 * (int64_t)US_PER_S;
    if (nb->role == ROLE_SOURCE) {
        /* The source's uplink is everyone's: spare it where others can do. */
        if (c->neighbours_len > FEW_NEIGHBOURS) cost += SOURCE_COST_US;
    } else {
        if (!ns->has_held) cost += (int64_t)US_PER_S;
        if (ns->has_held && now_us - ns->newest_us > US_PER_S) cost += 5 * (int64_t)US_PER_S;
    }
    if (index != SUPPLY_HEADS) cost += LOAD_COST_US * load_of(nb, s);
    if (!is_parent(c, nb)) cost += NEW_PARENT_COST_US;
    return cost;
}

static struct neighbour *best_for(const struct channel *c, const struct stream *s, unsigned index,
                                  unsigned load_below, uint64_t now_us) {
    struct neighbour *best = NULL;
    int64_t best_cost = INT64_MAX;
    size_t first = c->neighbours_len == 0 ? 0 : (size_t)rng_below(&c->node->rng, c->neighbours_len);
    for (size_t i = 0; i < c->neighbours_len; i++) {
        struct neighbour *nb = c->neighbours[(first + i) % c->neighbours_len];
        if (!may_supply(c, s, nb, index, now_us) || load_of(nb, s) >= load_below) continue;
        int64_t cost = cost_of(c, s, nb, index, now_us);
        if (cost >= best_cost) continue;
        best = nb;
        best_cost = cost;
    }
    return best;
}

/* A supply whose parent has changed: what was learnt of the old one is void. */
static void begin(struct supply *supply, uint64_t now_us) {
    supply->is_granted = false;
    supply->has_delay = false;
    supply->delay_us = supply->delay_var_us = supply->loop_us = 0;
    supply->ancestors_len = 0;
    supply->asked_us = supply->arrived_us = now_us;
}

static void assign(struct channel *c, struct stream *s, unsigned index, uint64_t now_us) {
    struct supply *supply = &s->supplies[index];
    struct neighbour *nb = best_for(c, s, index, UINT32_MAX, now_us);
    if (nb == NULL) return;
    supply->parent = nb;
    begin(supply, now_us);
    nb->streams[s->track].starved = true;
    ask(s, nb, index, s->has_start ? stream_first_hole(s) : FROM_RANDOM_ACCESS);
}

static void abandon(struct stream *s, unsigned index, uint64_t pause_us, uint64_t now_us) {
    struct supply *supply = &s->supplies[index];
    struct neighbour_stream *ns = &supply->parent->streams[s->track];
    unask(s, supply->parent, index, now_us);
    ns->refused_until_us = u64_max(ns->refused_until_us, now_us + pause_us);
    supply->parent = supply->next;
    supply->next = NULL;
    begin(supply, now_us);
}

static void cancel_next(struct stream *s, unsigned index, uint64_t now_us) {
    struct supply *supply = &s->supplies[index];
    unask(s, supply->next, index, now_us);
    supply->next->streams[s->track].refused_until_us = now_us + REFUSED_PAUSE_US;
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
    s->has_start = true;
    s->start_us = now_us;
    s->start = start;
    s->has_play = true;
    s->play_next = start;
}

void supply_arrived(struct stream *s, struct neighbour *nb, unsigned index, uint64_t delay_us,
                    uint64_t now_us) {
    struct supply *supply = &s->supplies[index];
    if (supply->parent != nb) return;
    supply->arrived_us = now_us;
    if (delay_us > DELAY_SAMPLE_MAX_US) return; /* what was owed after an outage is not usual */
    if (!supply->has_delay) {
        supply->has_delay = true;
        supply->delay_us = delay_us;
        supply->delay_var_us = delay_us / 2;
        return;
    }
    /* RFC 6298's weights. */
    uint64_t error_us =
        delay_us > supply->delay_us ? delay_us - supply->delay_us : supply->delay_us - delay_us;
    supply->delay_var_us = (3 * supply->delay_var_us + error_us) / 4;
    supply->delay_us = (7 * supply->delay_us + delay_us) / 8;
}

uint64_t supply_patience_us(const struct supply *supply) {
    if (supply->parent == NULL) return 0;
    uint64_t usual_us = supply->delay_us + 4 * supply->delay_var_us;
    return u64_min(usual_us, USUAL_MAX_US) + PATIENCE_US + neighbour_rtt_us(supply->parent) * 3 / 2;
}

/* Of the recent chunks: how many lack overdue cells of each substream. */
static void count_late(const struct stream *s, uint64_t now_us, uint8_t ret[SUBSTREAMS_MAX]) {
    memset(ret, 0, SUBSTREAMS_MAX);
    if (!s->window.has_newest || !s->has_start) return;
    uint32_t number = s->window.newest > 64 ? s->window.newest - 64 : 0;
    if (number < s->start) number = s->start;
    for (; number <= s->window.newest; number++) {
        const struct slot *slot = window_find(&s->window, number);
        if (slot == NULL || slot->chunk == NULL || now_us - slot->head_us < LATE_US) continue;
        uint32_t late = 0;
        for (uint64_t missing = chunk_missing(slot->chunk); missing; missing &= missing - 1) {
            unsigned index = stream_substream(s, number, (uint32_t)__builtin_ctzll(missing));
            if (now_us - slot->head_us >= supply_patience_us(&s->supplies[index]))
                late |= 1u << index;
        }
        for (; late; late &= late - 1) ret[__builtin_ctz(late)]++;
    }
}

/* Somebody has what our parent for heads has not sent. */
static bool others_are_ahead(const struct channel *c, const struct stream *s, uint64_t now_us) {
    for (size_t i = 0; i < c->neighbours_len; i++) {
        const struct neighbour *nb = c->neighbours[i];
        const struct neighbour_stream *ns = &nb->streams[s->track];
        if (!ns->has_held || now_us - ns->newest_us > US_PER_S) continue;
        if (!s->window.has_newest || ns->newest > s->window.newest) return true;
    }
    return false;
}

static bool is_late(const struct channel *c, const struct stream *s, unsigned index,
                    const uint8_t late[SUBSTREAMS_MAX], uint64_t now_us) {
    const struct supply *supply = &s->supplies[index];
    uint64_t silent_us = now_us - supply->arrived_us;
    /* One that sends nothing while requests fill its holes is late too. */
    bool is_dry = silent_us > DRY_US && s->window.has_newest && now_us - s->newest_us < LATE_US;
    if (index != SUPPLY_HEADS)
        return is_dry || (late[index] >= LATE_CHUNKS &&
                          silent_us >= LATE_US + neighbour_rtt_us(supply->parent));
    uint64_t interval_us = s->kind == TRACK_AUDIO ? 110 * US_PER_MS : 40 * US_PER_MS;
    return silent_us > LATE_US + 2 * interval_us && others_are_ahead(c, s, now_us);
}

/* Nothing at all comes over the link while others have newer media: all that it carries moves. */
static bool is_silent(const struct channel *c, const struct stream *s, const struct neighbour *nb,
                      uint64_t now_us) {
    struct link_stats stats;
    link_stats(nb->peer->link, &stats);
    uint64_t wait_us = u64_max(PARENT_SILENT_US, 4 * stats.rtt_us);
    return stats.received_us + wait_us < now_us && others_are_ahead(c, s, now_us);
}

static void check(struct channel *c, struct stream *s, unsigned index,
                  const uint8_t late[SUBSTREAMS_MAX], uint64_t now_us) {
    struct supply *supply = &s->supplies[index];
    if (supply->next != NULL && now_us - supply->next_asked_us > ANSWER_WAIT_US * 2)
        cancel_next(s, index, now_us);
    if (supply->parent == NULL) {
        assign(c, s, index, now_us);
        return;
    }
    uint64_t answer_us = u64_max(ANSWER_WAIT_US, 3 * neighbour_rtt_us(supply->parent));
    bool is_unanswered = !supply->is_granted && now_us - supply->asked_us > answer_us;
    bool is_loop = supply->loop_us != 0 && now_us - supply->loop_us > LOOP_WAIT_US;
    if (!is_unanswered && !is_loop && !is_silent(c, s, supply->parent, now_us) &&
        !is_late(c, s, index, late, now_us))
        return;
    abandon(s, index, REFUSED_PAUSE_US, now_us);
    if (supply->parent == NULL) assign(c, s, index, now_us);
}

/* Before the manifest is known: one neighbour at a time is asked for all of the first tracks, so
 * that media comes one round trip after the dial. */
static void subscribe_eagerly(struct channel *c, uint64_t now_us) {
    if (now_us < c->eager_us) return;
    struct neighbour *best = NULL;
    for (size_t i = 0; i < c->neighbours_len; i++) {
        struct neighbour *nb = c->neighbours[i];
        if (!is_usable(nb) || nb->streams[0].asked || nb->streams[0].refused_until_us > now_us)
            continue;
        bool is_better = best == NULL || (nb->has_hello && !best->has_hello) ||
                         (nb->broadcast > best->broadcast);
        if (is_better) best = nb;
    }
    if (best == NULL) return;
    for (size_t t = 0; t < EAGER_TRACKS; t++) {
        struct neighbour_stream *ns = &best->streams[t];
        ns->asked = (1u << SUBSTREAMS_MAX) - 1;
        ns->asked_heads = ns->starved = ns->changed = true;
        ns->ask_from = FROM_RANDOM_ACCESS;
        ns->has_ask_from = true;
    }
    c->eager_us = now_us + ANSWER_WAIT_US;
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
            if (!asks(ns, index)) continue;
            if (supply->parent != NULL) {
                unask(s, nb, index, now_us);
                continue;
            }
            supply->parent = nb;
            supply->is_granted = grants(ns, index);
            supply->asked_us = supply->arrived_us = now_us;
        }
    }
    s->is_adopted = true;
}

/* Moves one substream of a parent that carries more than its share, would rather lose it, or is
 * much later than another could be. */
static bool move_one(struct channel *c, struct stream *s, unsigned share, uint64_t now_us) {
    for (unsigned index = 0; index < s->substreams; index++) {
        struct supply *supply = &s->supplies[index];
        if (supply->parent == NULL || supply->next != NULL || !supply->is_granted) continue;
        struct neighbour *old = supply->parent;
        struct neighbour *nb = best_for(c, s, index, share, now_us);
        if (nb == NULL || !nb->has_hello) continue;
        int64_t cost = cost_of(c, s, nb, index, now_us);
        int64_t gain_us = cost_of(c, s, old, index, now_us) - cost;
        bool is_excess = old->streams[s->track].excess >> index & 1;
        bool is_wanted = is_excess || load_of(old, s) > share || gain_us > CELLS_GAIN_US;
        if (!is_wanted || cost > (int64_t)US_PER_S) continue;
        supply->next = nb;
        supply->next_asked_us = now_us;
        ask(s, nb, index, s->window.has_newest ? s->window.newest + 1 : s->start);
        return true;
    }
    return false;
}

/* The heads come before anything can be verified: they are worth the earliest parent. */
static void move_heads(struct channel *c, struct stream *s, uint64_t now_us) {
    struct supply *supply = &s->supplies[SUPPLY_HEADS];
    if (supply->parent == NULL || supply->next != NULL || !supply->has_delay) return;
    struct neighbour *nb = best_for(c, s, SUPPLY_HEADS, UINT32_MAX, now_us);
    if (nb == NULL || !nb->has_hello || !nb->streams[s->track].has_lateness) return;
    int64_t gain_us = (int64_t)supply->delay_us - cost_of(c, s, nb, SUPPLY_HEADS, now_us);
    if (gain_us < HEADS_GAIN_US) return;
    supply->next = nb;
    supply->next_asked_us = now_us;
    ask(s, nb, SUPPLY_HEADS, s->window.newest + 1);
}

static void balance(struct channel *c, struct stream *s, uint64_t now_us) {
    unsigned candidates = 0;
    for (size_t i = 0; i < c->neighbours_len; i++) {
        const struct neighbour *nb = c->neighbours[i];
        bool is_live =
            nb->role == ROLE_SOURCE ||
            (nb->streams[s->track].has_held && now_us - nb->streams[s->track].newest_us < US_PER_S);
        if (is_usable(nb) && nb->has_hello && is_live) candidates++;
    }
    if (candidates < 2 || !s->has_verified_start) return;
    unsigned parents = candidates < PARENTS_TARGET ? candidates : PARENTS_TARGET;
    unsigned share = (s->substreams + parents - 1u) / parents;
    for (unsigned i = 0; i < BALANCE_MOVES; i++)
        if (!move_one(c, s, share, now_us)) break;
    move_heads(c, s, now_us);
}

void supply_tick(struct channel *c, uint64_t now_us) {
    if (c->is_source) return;
    if (!c->has_manifest) {
        subscribe_eagerly(c, now_us);
        supply_flush(c, now_us);
        return;
    }
    bool balances = now_us >= c->balance_us;
    if (balances) c->balance_us = now_us + BALANCE_PERIOD_US;
    for (size_t t = 0; t < c->streams_len; t++) {
        struct stream *s = &c->streams[t];
        if (!s->is_adopted) adopt_eager(c, s, now_us);
        if (s->has_end) continue;
        uint8_t late[SUBSTREAMS_MAX];
        count_late(s, now_us, late);
        for (unsigned index = 0; index < s->substreams; index++) check(c, s, index, late, now_us);
        check(c, s, SUPPLY_HEADS, late, now_us);
        if (balances) balance(c, s, now_us);
    }
    supply_flush(c, now_us);
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
    };
    uint8_t buffer[32];
    struct writer w = writer_init(buffer, sizeof buffer);
    subscribe_write(&w, &m);
    /* A full queue empties or the link ends: kept for the next tick. */
    if (link_send_message(nb->peer->link, buffer, writer_len(&w), now_us)) return;
    ns->generation = m.generation;
    ns->changed = ns->starved = ns->has_ask_from = false;
}

void supply_flush(struct channel *c, uint64_t now_us) {
    for (size_t i = 0; i < c->neighbours_len; i++)
        for (uint8_t t = 0; t < TRACKS_MAX; t++)
            if (c->neighbours[i]->streams[t].changed && c->neighbours[i]->hello_sent)
                send_subscribe(c, c->neighbours[i], t, now_us);
}

/* Substreams and heads (SUBSTREAM_HEADS) that the parent has from us, directly or not. */
static uint32_t find_loops(const struct channel *c, const struct grant *m) {
    uint32_t self = load_u32(c->node->id.bytes), loops = 0;
    for (size_t i = 0; i < m->ancestry_len; i++)
        for (size_t k = 0; k < m->ancestry[i].ids_len; k++)
            if (m->ancestry[i].ids[k] == self) loops |= m->ancestry[i].substreams;
    return loops;
}

/* Who is above us now. True where that has changed. */
static bool take_ancestry(struct stream *s, const struct neighbour *nb, const struct ancestry *a) {
    bool changed = false;
    for (unsigned index = 0; index < SUPPLIES; index++) {
        struct supply *supply = &s->supplies[index];
        if (!(a->substreams >> index & 1) || supply->parent != nb) continue;
        size_t bytes = a->ids_len * sizeof a->ids[0];
        if (supply->ancestors_len == a->ids_len && memcmp(supply->ancestors, a->ids, bytes) == 0)
            continue;
        supply->ancestors_len = a->ids_len;
        memcpy(supply->ancestors, a->ids, bytes);
        changed = true;
    }
    return changed;
}

/* All of a circle see it at about the same time; whoever has moved last has closed it and leaves
 * at once, the others only where it stands (check). */
static void note_loop(struct stream *s, const struct neighbour *nb, unsigned index, bool is_loop,
                      uint64_t now_us) {
    struct supply *supply = &s->supplies[index];
    if (supply->parent != nb) return;
    if (!is_loop)
        supply->loop_us = 0;
    else if (now_us - supply->asked_us < LOOP_NEW_US)
        abandon(s, index, REFUSED_PAUSE_US, now_us);
    else if (supply->loop_us == 0)
        supply->loop_us = now_us;
}

/* The parent's word on one supply: granted, refused, or ended. */
static void settle(struct stream *s, struct neighbour *nb, unsigned index, bool granted,
                   uint64_t now_us) {
    struct supply *supply = &s->supplies[index];
    if (supply->next == nb) {
        if (!granted) {
            cancel_next(s, index, now_us);
            return;
        }
        unask(s, supply->parent, index, now_us);
        supply->parent = nb;
        supply->next = NULL;
        begin(supply, now_us);
    } else if (supply->parent != nb) {
        return;
    }
    supply->is_granted = granted;
    if (!granted) abandon(s, index, REFUSED_PAUSE_US, now_us);
}

static void take_candidates(struct channel *c, const struct grant *m) {
    for (size_t i = 0; i < m->candidates_len; i++) {
        if (public_key_equal(&m->candidates[i].peer, &c->node->id)) continue;
        (void)sampler_add(&c->sampler, &c->node->rng, &m->candidates[i].peer,
                          &m->candidates[i].endpoint, ORIGIN_NEIGHBOUR);
    }
}

static void settle_all(struct channel *c, struct stream *s, struct neighbour *nb,
                       const struct grant *m, uint64_t now_us) {
    const struct neighbour_stream *ns = &nb->streams[m->track];
    uint32_t given = m->substreams;
    if (m->flags & SUBSCRIBE_HEADS) given |= 1u << SUBSTREAM_HEADS;
    uint32_t loops = find_loops(c, m);
    for (unsigned index = 0; index < SUPPLIES; index++) {
        if (!asks(ns, index)) continue;
        /* A move that would close a circle is not made. */
        bool closes = loops >> index & 1 && s->supplies[index].next == nb;
        settle(s, nb, index, given >> index & 1 && !closes, now_us);
    }
    bool changed = false;
    for (size_t i = 0; i < m->ancestry_len; i++)
        changed = take_ancestry(s, nb, &m->ancestry[i]) || changed;
    for (unsigned index = 0; index < SUPPLIES; index++)
        if (asks(ns, index)) note_loop(s, nb, index, loops >> index & 1, now_us);
    if (changed) serve_ancestry_changed(c, m->track, now_us);
}

void supply_take_grant(struct neighbour *nb, const struct grant *m, uint64_t now_us) {
    struct channel *c = nb->channel;
    struct neighbour_stream *ns = &nb->streams[m->track];
    if (m->generation != ns->generation) return; /* answers what we have since asked anew */
    if (ns->has_grant && (int16_t)(m->revision - ns->grant_revision) <= 0) return;
    ns->has_grant = true;
    ns->grant_revision = m->revision;
    ns->granted = m->substreams & ns->asked;
    ns->granted_heads = ns->asked_heads && m->flags & SUBSCRIBE_HEADS;
    ns->excess = m->excess;
    if (m->from != FROM_RANDOM_ACCESS && m->substreams != 0) {
        ns->has_grant_from = true;
        ns->grant_from = m->from;
    }
    take_candidates(c, m);
    struct stream *s = channel_stream(c, m->track);
    if (s == NULL || c->is_source) {
        if (s == NULL && m->substreams == 0)
            ns->refused_until_us = now_us + REFUSED_PAUSE_US, ns->asked = 0,
            ns->asked_heads = false;
        return;
    }
    settle_all(c, s, nb, m, now_us);
    channel_wake(c, now_us);
}
