/* world_plan.c - where the peers stand, what their uplinks carry, who can connect to whom. */
#include <math.h>
#include <stdlib.h>

#include "tests/sim/world_internal.h"

#define MEAN_DISTANCE 0.521405433 /* of two random points of the unit square */

/* A number in [0, 1) that follows from the pair alone, whichever way round. */
static double pair_chance(const struct world *w, unsigned a, unsigned b) {
    uint64_t low = a < b ? a : b, high = a < b ? b : a;
    struct rng r = rng_init(w->pair_key ^ (high << 32 | low));
    return rng_unit(&r);
}

static bool can_connect(const struct world *w, const struct resident *a, const struct resident *b) {
    if (a->kind == KIND_SOURCE || b->kind == KIND_SOURCE) return true;
    if (w->scenario.source_only) return false;
    return pair_chance(w, a->number, b->number) >= w->scenario.unreachable;
}

/* The parted ones have the highest numbers; the source stays with the others. */
static bool is_parted(const struct world *w, unsigned number) {
    return number > 0 && number >= w->places - (unsigned)(w->scenario.partition_share * w->places);
}

static bool is_cut(const struct world *w, unsigned from, unsigned to) {
    if (!can_connect(w, &w->residents[from], &w->residents[to])) return true;
    if (w->is_source_cut && (from == 0 || to == 0)) return true;
    return w->is_parted && is_parted(w, from) != is_parted(w, to);
}

static uint64_t delay_us(const struct scenario *c, const struct resident *a,
                         const struct resident *b) {
    double distance = sqrt((a->x - b->x) * (a->x - b->x) + (a->y - b->y) * (a->y - b->y));
    double ms = c->delay_least + distance * (c->delay_mean - c->delay_least) / MEAN_DISTANCE;
    return (uint64_t)(fmax(fmin(ms, c->delay_most), c->delay_least) * 1000);
}

static void path(void *context, unsigned from, unsigned to, struct network_path *ret) {
    const struct world *w = context;
    const struct scenario *c = &w->scenario;
    const struct resident *a = &w->residents[from], *b = &w->residents[to];
    *ret = (struct network_path){
        .delay_us = delay_us(c, a, b),
        .jitter_us = (uint64_t)(c->jitter * 1000),
        .is_ordered = !c->reorders,
        .loss = c->loss,
        .loss_burst = c->loss_burst,
        .mtu = (uint16_t)c->mtu,
        .is_cut = is_cut(w, from, to),
    };
}

static void give_uplink(struct world *w, struct resident *p, double bps) {
    p->uplink_bps = (uint64_t)bps;
    struct network_path uplink = {.rate_bps = u64_max(p->uplink_bps, 1000),
                                  .queue_us = (uint64_t)(w->scenario.queue * 1000)};
    network_set_uplink(w->network, p->number, &uplink);
    if (w->scenario.downlink <= 0) return;
    struct network_path downlink = {.rate_bps =
                                        (uint64_t)(w->scenario.downlink * (double)w->stream_bps),
                                    .queue_us = (uint64_t)(w->scenario.queue * 1000)};
    network_set_downlink(w->network, p->number, &downlink);
}

static double ratio_of(const struct scenario *c, double share) {
    for (unsigned i = 0; i < c->classes_len; i++) {
        if (share < c->classes[i].share) return c->classes[i].ratio;
        share -= c->classes[i].share;
    }
    return c->classes_len == 0 ? 1 : c->classes[c->classes_len - 1].ratio;
}

/* Each class has its share exactly; who is in which is drawn. */
static void draw_ratios(struct world *w, double *ratios) {
    for (unsigned i = 1; i < w->places; i++)
        ratios[i] = ratio_of(&w->scenario, (i - 0.5) / (w->places - 1));
    for (unsigned i = w->places - 1; i > 1; i--) {
        unsigned k = 1 + (unsigned)rng_below(&w->rng, i);
        double swap = ratios[i];
        ratios[i] = ratios[k];
        ratios[k] = swap;
    }
}

/* All uplinks together, the source's among them, are the resource index times what the peers
 * take. */
static void share_uplinks(struct world *w) {
    const struct scenario *c = &w->scenario;
    double *ratios = world_allocate(w->places, sizeof *ratios), sum = 0;
    draw_ratios(w, ratios);
    ratios[0] = c->source_uplink_per_peer > 0 ? c->source_uplink_per_peer * (w->places - 1)
                                              : c->source_uplink;
    for (unsigned i = 1; i < w->places; i++) {
        if (w->residents[i].kind == KIND_FREE_RIDER) ratios[i] = 0;
        if (w->residents[i].kind == KIND_TWIN) ratios[i] = ratios[0];
        sum += ratios[i];
    }
    double scale = 1;
    if (c->resource_index > 0 && sum > 0) scale = (c->resource_index * w->places - ratios[0]) / sum;
    for (unsigned i = 0; i < w->places; i++)
        give_uplink(w, &w->residents[i], ratios[i] * (i == 0 ? 1 : scale) * (double)w->stream_bps);
    free(ratios);
}

/* Kinds are spread over the places: those that a share asks for, from place 1 on in the order that
 * is drawn. */
static void give_kinds(struct world *w) {
    const struct scenario *c = &w->scenario;
    unsigned viewers = w->places - 1, at = 0;
    const struct {
        enum peer_kind kind;
        double share;
    } shares[] = {{KIND_FREE_RIDER, c->free_riders},
                  {KIND_POLLUTER, c->polluters},
                  {KIND_REPLAYER, c->replayers}};
    uint32_t *order = world_allocate(viewers, sizeof *order);
    for (unsigned i = 0; i < viewers; i++) order[i] = i + 1;
    for (unsigned i = viewers; i > 1; i--) {
        unsigned k = (unsigned)rng_below(&w->rng, i);
        uint32_t swap = order[i - 1];
        order[i - 1] = order[k];
        order[k] = swap;
    }
    for (size_t s = 0; s < ARRAY_LEN(shares); s++)
        for (unsigned n = (unsigned)(shares[s].share * viewers + 0.5); n > 0 && at < viewers; n--)
            w->residents[order[at++]].kind = shares[s].kind;
    /* As many as are to surround the newcomer, of both kinds. */
    unsigned liars = 0;
    for (unsigned i = 0; i < at; i++) liars += liars_is_one(&w->residents[order[i]]);
    for (; liars < c->eclipse && at + 1 < viewers; liars++)
        w->residents[order[at++]].kind = liars % 2 == 0 ? KIND_POLLUTER : KIND_REPLAYER;
    if (c->equivocation > 0 && at < viewers) w->residents[order[at++]].kind = KIND_TWIN;
    if (c->eclipse > 0 && at < viewers) w->residents[order[at++]].kind = KIND_NEWCOMER;
    free(order);
}

void plan_lay_out(struct world *w) {
    w->pair_key = rng_u64(&w->rng);
    for (unsigned i = 0; i < w->places; i++) {
        struct resident *p = &w->residents[i];
        p->kind = i == 0 ? KIND_SOURCE : KIND_VIEWER;
        p->x = rng_unit(&w->rng);
        p->y = rng_unit(&w->rng);
    }
    give_kinds(w);
    share_uplinks(w);
    network_set_datagram_overhead(w->network, 28);
    network_set_path_model(w->network, path, w);
}
