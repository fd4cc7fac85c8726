/* world_peers.c - peers come and go. */
#include <math.h>
#include <string.h>

#include "tests/sim/world_internal.h"

#define PORT_BASE 7000u
#define PORT_LIVES 50000u
#define POLLUTER_MEMORY (1u << 20) /* it says that it holds all, whatever it holds */
_Static_assert(1 + NODE_PREFETCH_STAGES == NETWORK_STAGES, "the place in the swarm comes first");

#define PREFETCHED_LEAST 200 /* peers: of fewer most is in the cache anyway */
#define PLAYING_ALL 300      /* swarms up to this size: every viewer plays what it gets, */
#define PLAYING_ONE_IN 16    /* in larger ones one in so many; the others are as relays are */

static void host_receive(void *context, const struct datagram *d, uint64_t now_us) {
    struct resident *p = context;
    liars_act(p);
    node_receive(p->node, d, now_us);
    liars_act(NULL);
    peers_take_events(p);
}

static void host_expire(void *context, uint64_t now_us) {
    struct resident *p = context;
    liars_act(p);
    node_expire(p->node, now_us);
    liars_act(NULL);
    peers_take_events(p);
}

static uint64_t host_deadline(void *context) {
    struct resident *p = context;
    return node_deadline(p->node);
}

static size_t host_transmit(void *context, struct datagram *ret, uint64_t now_us) {
    struct resident *p = context;
    liars_act(p);
    size_t len = node_transmit(p->node, ret, now_us);
    liars_act(NULL);
    return len;
}

void peers_take_events(struct resident *p) {
    struct node_event e;
    while (node_next_event(p->node, &e)) {
        switch (e.type) {
        case NODE_EVENT_FRAGMENT:
            measure_fragment(p, e.fragment);
            fragment_unref(e.fragment);
            break;
        case NODE_EVENT_CHUNK: measure_chunk(p, &e); break;
        case NODE_EVENT_END: p->has_ended = true; break;
        case NODE_EVENT_FIND: records_look_up(p); break;
        case NODE_EVENT_ANNOUNCE: records_announce(p, &e.holder, e.epoch); break;
        case NODE_EVENT_ANNOUNCE_ENTRY: records_announce_entry(p->world, &e.entry); break;
        case NODE_EVENT_PEER_UP: liars_note_met(p, &e.peer); break;
        case NODE_EVENT_PEER_BANNED: liars_note_banned(p, &e.peer); break;
        default: break;
        }
    }
}

static struct node *make_node(struct resident *p, uint64_t now_us) {
    struct world *w = p->world;
    uint8_t seed[RANDOM_SEED_BYTES];
    random_bytes(&w->random, seed, sizeof seed);
    struct node_config config = {
        .identity = &p->identity,
        .random = random_from_seed(seed),
        .seed = rng_u64(&p->rng),
        .role = p->kind == KIND_SOURCE || p->kind == KIND_TWIN ? ROLE_SOURCE : ROLE_VIEWER,
        .max_upload_bps = w->scenario.declared ? p->uplink_bps : NODE_UPLOAD_UNLIMITED,
        .tells_chunks = true,
        .chunks = w->pool,
    };
    if (w->census_to != NULL) config.trace = census_decision;
    config.trace_context = p;
    if (w->tell_to != NULL && (w->told == p->number || w->told == WORLD_TELL_ALL))
        config.trace = tell_decision;
    if (p->kind == KIND_FREE_RIDER) config.max_upload_bps = 0;
    /* Bad bytes that it keeps must not be the others'. */
    if (p->kind == KIND_POLLUTER) config.chunks = NULL;
    if (p->kind == KIND_POLLUTER) config.memory_max = POLLUTER_MEMORY;
    struct node *n = node_new(&config, now_us);
    if (n == NULL) world_fail("no memory");
    return n;
}

static int64_t draw_skew_us(struct resident *p) {
    double most = p->world->scenario.clock_skew * 1000;
    return p->kind == KIND_SOURCE ? 0 : (int64_t)((2 * rng_unit(&p->rng) - 1) * most);
}

void peers_start(struct resident *p) {
    struct world *w = p->world;
    uint64_t now_us = network_now(w->network);
    p->life++;
    sign_key_generate(&p->identity, &w->random);
    struct endpoint endpoint = network_endpoint(w->network, p->number);
    endpoint.port = (uint16_t)(PORT_BASE + (p->life - 1) % PORT_LIVES);
    if (p->life > 1) network_move(w->network, p->number, &endpoint);
    p->started_us = now_us;
    p->plays =
        p->kind == KIND_NEWCOMER || ((p->kind == KIND_VIEWER || p->kind == KIND_FREE_RIDER) &&
                                     (w->places <= PLAYING_ALL || p->number % PLAYING_ONE_IN == 0));
    p->node = make_node(p, now_us);
    p->channel = node_join(p->node, &w->channel_key.public,
                           w->scenario.private && p->plays ? &w->read_key : NULL, p->plays, now_us);
    if (p->channel < 0) world_fail("cannot join");
    node_set_utc(p->node, UTC_START_US + now_us + (uint64_t)draw_skew_us(p), now_us);
    node_set_endpoints(p->node, &endpoint, 1);
    p->is_up = true;
    p->is_leaving = false;
    p->has_ended = false;
    measure_began(p);
    network_attach(w->network, p->number,
                   &(struct network_host){.context = p,
                                          .receive = host_receive,
                                          .expire = host_expire,
                                          .deadline = host_deadline,
                                          .transmit = host_transmit});
    liars_started(p);
    if (p->kind == KIND_SOURCE) media_go_on_air(w);
    network_wake(w->network, p->number);
}

void peers_stop(struct resident *p, bool says_goodbye) {
    struct world *w = p->world;
    if (!p->is_up) return;
    measure_ends(p);
    if (says_goodbye) {
        node_leave(p->node, network_now(w->network));
        network_wake(w->network, p->number);
    } else {
        measure_vanishes(p);
    }
    p->is_up = false;
    network_detach(w->network, p->number);
    node_free(p->node);
    p->node = NULL;
}

/* What is left of a session, or all of it. Weibull: many are short, and who has stayed for long
 * stays on. */
static uint64_t draw_session_us(struct resident *p) {
    const struct scenario *c = &p->world->scenario;
    double u = rng_unit(&p->rng);
    double s = c->session_median * pow(-log(1 - u) / M_LN2, 1 / c->session_shape);
    return (uint64_t)(fmin(fmax(s, 0.5), 1e6) * (double)US_PER_S);
}

static void on_start(void *context);

/* Who leaves makes room for another; one in two says goodbye. */
static void on_leave(void *context) {
    struct resident *p = context;
    if (!p->is_up || network_now(p->world->network) < p->ends_us) return;
    peers_stop(p, rng_below(&p->rng, 2) == 0);
    on_start(p);
}

static void on_start(void *context) {
    struct resident *p = context;
    struct world *w = p->world;
    if (p->is_up) return;
    peers_start(p);
    p->ends_us = TIME_NEVER;
    bool stays = p->kind != KIND_VIEWER && p->kind != KIND_FREE_RIDER;
    if (w->scenario.session_median <= 0 || stays) return;
    p->ends_us = p->started_us + draw_session_us(p);
    if (p->ends_us < w->end_us) network_at(w->network, p->ends_us, on_leave, p);
}

static void on_kill(void *context) {
    struct world *w = context;
    unsigned left = (unsigned)(w->scenario.kill_share * (w->places - 1));
    for (unsigned i = 1; i < w->places && left > 0; i++) {
        /* Each subset is as likely as another: `left` of those that remain. */
        if (rng_below(&w->rng, w->places - i) >= left) continue;
        left--;
        peers_stop(&w->residents[i], false);
    }
}

static void on_part(void *context) {
    struct world *w = context;
    w->is_parted = !w->is_parted;
    network_paths_changed(w->network);
}

static void on_source_back(void *context) { peers_start(context); }

static void on_source_gone(void *context) {
    struct resident *p = context;
    peers_stop(p, false);
    uint64_t back_us = (uint64_t)(p->world->scenario.source_down_for * 1e6);
    network_at(p->world->network, network_now(p->world->network) + back_us, on_source_back, p);
}

static void on_source_heard(void *context) {
    struct world *w = context;
    w->is_source_cut = false;
    network_paths_changed(w->network);
    measure_source_heard(w);
}

static void on_source_cut(void *context) {
    struct world *w = context;
    w->is_source_cut = true;
    network_paths_changed(w->network);
    network_at(w->network, network_now(w->network) + (uint64_t)(w->scenario.source_cut_for * 1e6),
               on_source_heard, w);
}

static uint64_t in_window(const struct world *w, double s) {
    return w->window_us + (uint64_t)(s * (double)US_PER_S);
}

static void schedule_starts(struct world *w) {
    const struct scenario *c = &w->scenario;
    unsigned crowd = (unsigned)(c->crowd_share * (w->places - 1));
    for (unsigned i = 0; i < w->places; i++) {
        struct resident *p = &w->residents[i];
        uint64_t at_us = i == 0 ? 1 : 1 + (uint64_t)(rng_unit(&w->rng) * c->join_spread * 1e6);
        if (i > 0 && i >= w->places - crowd)
            at_us = in_window(w, c->crowd_at + rng_unit(&w->rng) * c->crowd_over);
        if (p->kind == KIND_NEWCOMER) at_us = in_window(w, 1);
        network_at(w->network, at_us, on_start, p);
    }
}

static void prefetch(const void *context, unsigned stage, const uint8_t *data, size_t len) {
    const struct resident *p = context;
    if (stage == 0) {
        __builtin_prefetch(p);
        __builtin_prefetch(&p->node);
    } else if (p->node != NULL) {
        node_prefetch(p->node, stage - 1, data, len);
    }
}

void peers_schedule(struct world *w) {
    const struct scenario *c = &w->scenario;
    if (w->places >= PREFETCHED_LEAST) network_set_prefetch(w->network, prefetch);
    schedule_starts(w);
    if (c->kill_share > 0) network_at(w->network, in_window(w, c->kill_at), on_kill, w);
    if (c->partition_share > 0) {
        network_at(w->network, in_window(w, c->partition_at), on_part, w);
        network_at(w->network, in_window(w, c->partition_at + c->partition_for), on_part, w);
    }
    if (c->source_cut_at > 0)
        network_at(w->network, in_window(w, c->source_cut_at), on_source_cut, w);
    if (c->source_restart_at > 0)
        network_at(w->network, in_window(w, c->source_restart_at), on_source_gone,
                   &w->residents[0]);
}
