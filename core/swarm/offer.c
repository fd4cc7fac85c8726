/* offer.c - how late we have each substream, and what we could give: what neighbours choose their
 * parents by.
 *
 * Lag needs no clocks that agree. The heads go first in every queue and come down one tree: the
 * parent says how late it has them at best, and half a round trip later so have we. That fixes the
 * zero of our clock; all else is measured against it, waiting in the parents' queues included. */
#include <stdlib.h>

#include "core/swarm/admission.h"
#include "core/swarm/below.h"
#include "core/swarm/engine.h"

#define OFFER_SIZE_MAX (17 + TRACKS_MAX * (10 + SUPPLIES))
#define HOP_US (2 * (int64_t)US_PER_MS)         /* in a parent that does not wait */
#define CELLS_HOP_US (15 * (int64_t)US_PER_MS)  /* what cells wait there at least */
#define OFFSET_FAR_US (60 * (int64_t)US_PER_MS) /* what the heads' parent says is not true */
#define MEDIAN_LEAST 4
#define TELL_NEWS_US (100 * US_PER_MS) /* between OFFERs out of turn, */
#define TELL_NEWS_BURST 6              /* so many in a row, */
#define TELL_CHILDREN_PERIODS 2        /* then one in so many of the usual periods, */
#define TELL_NEWS_PERIODS 8            /* and one in so many of the usual periods */

/* How late the heads are at best with us; false where that is not known. */
static bool heads_lag(const struct stream *s, int64_t *ret_us) {
    const struct supply *heads = &s->supplies[SUPPLY_HEADS];
    const struct neighbour *nb = heads->parent;
    if (nb == NULL || !heads->is_granted || !heads->has_arrival) return false;
    const struct neighbour_stream *ns = &nb->streams[s->track];
    *ret_us = (int64_t)link_rtt_min_us(nb->link) / 2 + HOP_US;
    if (nb->role == ROLE_SOURCE) return true;
    if (!ns->has_lags || ns->lags[SUPPLY_HEADS] == LAG_NONE) return false;
    *ret_us += (int64_t)ns->lags[SUPPLY_HEADS] * LAG_UNIT_US;
    return true;
}

/* The same by what the parents of the cells say: the median, so that half of them would have to
 * lie. It is less exact, for cells wait in queues. */
static bool find_median_offset(const struct stream *s, int64_t *ret_us) {
    int64_t found[SUBSTREAMS_MAX];
    unsigned len = 0;
    for (unsigned index = 0; index < s->substreams; index++) {
        const struct supply *supply = &s->supplies[index];
        if (supply->parent == NULL || !supply->is_granted || !supply->has_arrival) continue;
        const struct neighbour_stream *ns = &supply->parent->streams[s->track];
        int64_t lag_us = CELLS_HOP_US + (int64_t)neighbour_rtt_us(supply->parent) / 2;
        bool is_told = ns->has_lags && ns->lags[index] != LAG_NONE;
        if (supply->parent->role != ROLE_SOURCE) {
            if (!is_told) continue;
            lag_us += (int64_t)ns->lags[index] * LAG_UNIT_US;
        }
        int64_t offset_us = supply->arrival_us - lag_us;
        unsigned at = len++;
        for (; at > 0 && found[at - 1] > offset_us; at--) found[at] = found[at - 1];
        found[at] = offset_us;
    }
    if (len < MEDIAN_LEAST) return false;
    *ret_us = found[len / 2];
    return true;
}

static void fix_source_offset(struct stream *s) {
    int64_t lag_us;
    if (!heads_lag(s, &lag_us)) return;
    s->has_source_offset = true;
    int64_t by_heads_us = supply_least_arrival_us(&s->supplies[SUPPLY_HEADS]) - lag_us;
    int64_t median_us = by_heads_us;
    bool is_far =
        find_median_offset(s, &median_us) && llabs(median_us - by_heads_us) > OFFSET_FAR_US;
    s->source_offset_us = is_far ? median_us : by_heads_us;
}

static uint8_t lag_of(const struct channel *c, const struct stream *s, unsigned index) {
    const struct supply *supply = &s->supplies[index];
    if (c->is_source) return 0;
    if (supply->parent == NULL || !supply->is_granted || !supply->has_arrival) return LAG_NONE;
    if (!admission_has_supply(c, s, index)) return LAG_NONE;
    int64_t lag = 0;
    if (index == SUPPLY_HEADS && !heads_lag(s, &lag)) return LAG_NONE;
    if (index != SUPPLY_HEADS && !s->has_source_offset) return LAG_NONE;
    if (index != SUPPLY_HEADS) lag = supply->arrival_us - s->source_offset_us;
    lag = (lag + LAG_UNIT_US / 2) / LAG_UNIT_US;
    if (lag < 1) return 1;
    return lag < LAG_NONE ? (uint8_t)lag : LAG_NONE - 1;
}

uint16_t offer_spare(const struct channel *c) {
    return (uint16_t)u64_min(admission_spare_bps(c->node) / OFFER_UNIT_BPS, UINT16_MAX);
}

static void describe(struct channel *c, struct offer *m) {
    *m = (struct offer){.slot = c->index, .broadcast = c->manifest.broadcast};
    m->spare = offer_spare(c);
    m->bar = (uint16_t)u64_min(admission_bar_bps(c) / OFFER_UNIT_BPS, UINT16_MAX);
    m->carried = (uint16_t)u64_min(admission_carried_bps(c->node) / OFFER_UNIT_BPS, UINT16_MAX);
    for (size_t t = 0; t < c->streams_len; t++) {
        struct stream *s = &c->streams[t];
        struct track_lags *lags = &m->tracks[m->tracks_len++];
        lags->track = s->track;
        lags->below = below_told(c, s);
        for (unsigned index = 0; index < s->substreams; index++)
            lags->lags[lags->lags_len++] = lag_of(c, s, index);
        lags->lags[lags->lags_len++] = lag_of(c, s, SUPPLY_HEADS);
    }
}

static void offer_send(struct neighbour *nb, uint64_t now_us) {
    struct channel *c = nb->channel;
    struct offer m;
    uint8_t buffer[OFFER_SIZE_MAX];
    struct writer w = writer_init(buffer, sizeof buffer);
    if (!c->has_manifest || !nb->has_hello) return;
    describe(c, &m);
    offer_write(&w, &m);
    if (link_send_unreliable(nb->link, buffer, writer_len(&w), 0, now_us)) return;
    nb->offer_sent_us = now_us;
}

/* Substreams, and heads, that we had and have no supply of now. */
static uint32_t dry_of(const struct channel *c, struct stream *s) {
    uint32_t dry = 0;
    if (c->is_source || !s->is_adopted || !s->has_verified_start) return 0;
    for (unsigned index = 0; index < s->substreams; index++)
        dry |= !admission_has_supply(c, s, index) * 1u << index;
    dry |= !admission_has_supply(c, s, SUPPLY_HEADS) * 1u << SUPPLY_HEADS;
    s->was_fed = s->was_fed || dry == 0;
    return s->was_fed ? dry : 0;
}

/* For one more child: nobody turns to who has none. */
static bool has_room(const struct channel *c) {
    for (size_t t = 0; t < c->streams_len; t++)
        if (admission_spare_bps(c->node) >= admission_cost_bps(&c->streams[t], 0)) return true;
    return false;
}

/* Whoever has lost the same parent asks for what we have: it is told at once what dried up, and
 * what flows again. Not often: where supplies come and go all the time it would not help anybody.
 * Children hear of it more often, for nobody else gives them what we lack. */
enum news { NEWS_NONE, NEWS_FOR_CHILDREN, NEWS_FOR_ALL };

static enum news find_news(struct channel *c, uint64_t now_us) {
    if (now_us - c->told_us < TELL_NEWS_US) return NEWS_NONE;
    bool is_news = false;
    for (size_t t = 0; t < c->streams_len; t++)
        is_news = is_news || dry_of(c, &c->streams[t]) != c->streams[t].told_dry;
    double per_s = (double)US_PER_S / (double)channel_tell_us(c);
    double children_per_s = per_s / TELL_CHILDREN_PERIODS, all_per_s = per_s / TELL_NEWS_PERIODS;
    if (!is_news || !budget_spend(&c->news_children, 1, TELL_NEWS_BURST, children_per_s, now_us))
        return NEWS_NONE;
    for (size_t t = 0; t < c->streams_len; t++) c->streams[t].told_dry = dry_of(c, &c->streams[t]);
    c->told_us = now_us;
    if (!has_room(c)) return NEWS_FOR_CHILDREN;
    return budget_spend(&c->news, 1, TELL_NEWS_BURST, all_per_s, now_us) ? NEWS_FOR_ALL
                                                                         : NEWS_FOR_CHILDREN;
}

static bool is_child(const struct neighbour *nb) {
    for (size_t t = 0; t < nb->streams_len; t++)
        if (nb->streams[t].child_granted || nb->streams[t].child_heads) return true;
    return false;
}

void offer_tick(struct channel *c, uint64_t now_us) {
    if (!c->has_manifest || c->node->uplink.rate_bps == 0) return;
    uint32_t changes = links_changes(c->node->links);
    enum news news = find_news(c, now_us);
    if (news == NEWS_NONE && now_us < c->tally.offer_us && changes == c->tally.offer_changes)
        return;
    bool is_fixed = c->is_source;
    uint64_t period_us = channel_tell_us(c);
    c->tally.offer_us = TIME_NEVER;
    c->tally.offer_changes = changes;
    for (size_t i = 0; i < c->neighbours_len; i++) {
        struct neighbour *nb = c->neighbours[i];
        if (!nb->has_hello || link_state(nb->link) != LINK_UP) continue;
        bool is_due = news == NEWS_FOR_ALL || (news == NEWS_FOR_CHILDREN && is_child(nb)) ||
                      now_us - nb->offer_sent_us >= period_us;
        for (size_t t = 0; is_due && !is_fixed && t < c->streams_len; t++)
            fix_source_offset(&c->streams[t]);
        is_fixed = is_fixed || is_due;
        if (is_due) offer_send(nb, now_us);
        if (is_due && news == NEWS_NONE) c->have_us[i] = 0;
        c->tally.offer_us = u64_min(c->tally.offer_us, nb->offer_sent_us + period_us);
    }
}

void offer_take(struct neighbour *nb, const struct offer *m, uint64_t now_us) {
    struct channel *c = nb->channel;
    nb->follows = m->broadcast;
    if (m->broadcast != c->manifest.broadcast) return;
    nb->has_offer = true;
    nb->offered_us = now_us;
    nb->spare_bps = (uint64_t)m->spare * OFFER_UNIT_BPS;
    nb->carried_bps = (uint64_t)m->carried * OFFER_UNIT_BPS;
    nb->bar_bps = (uint64_t)m->bar * OFFER_UNIT_BPS;
    uplink_turn_note_worth(nb);
    bool is_dry = false;
    for (size_t i = 0; i < m->tracks_len; i++) {
        const struct track_lags *lags = &m->tracks[i];
        const struct stream *s = channel_stream(c, lags->track);
        if (s == NULL || lags->track >= nb->streams_len || lags->lags_len != s->substreams + 1)
            continue;
        struct neighbour_stream *ns = &nb->streams[lags->track];
        ns->has_lags = true;
        ns->below = lags->below;
        for (unsigned index = 0; index < s->substreams; index++)
            ns->lags[index] = lags->lags[index];
        ns->lags[SUPPLY_HEADS] = lags->lags[s->substreams];
        for (unsigned index = 0; index < s->substreams; index++)
            is_dry = is_dry || (ns->granted >> index & 1 && ns->lags[index] == LAG_NONE);
        is_dry = is_dry || (ns->granted_heads && ns->lags[SUPPLY_HEADS] == LAG_NONE);
    }
    if (!is_dry)
        nb->dry_us = 0;
    else if (nb->dry_us == 0)
        nb->dry_us = now_us;
}
