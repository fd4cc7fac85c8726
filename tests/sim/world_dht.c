/* world_dht.c - a model of the DHT: records that can be found some time after they were put, and
 * look-ups that take a while, bring a part of them, and sometimes nothing. Its figures come from
 * clusters of real OpenDHT nodes (scripts/measure-dht). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/world_internal.h"

#define RECORD_LIFE_US (600 * US_PER_S)
#define P95_SIGMA 1.6448536 /* standard deviations from the median of a normal distribution */

/* A time from the log-normal distribution that has this median and 95th percentile. */
static uint64_t draw_us(struct rng *r, double median_ms, double p95_ms) {
    double u = rng_unit(r), v = rng_unit(r);
    double normal = sqrt(-2 * log(1 - u)) * cos(2 * M_PI * v);
    double sigma = p95_ms > median_ms ? log(p95_ms / median_ms) / P95_SIGMA : 0;
    return (uint64_t)(median_ms * exp(sigma * normal) * 1000);
}

void records_announce(struct resident *p, const struct holder *holder, uint64_t epoch) {
    struct world *w = p->world;
    const struct scenario *c = &w->scenario;
    struct record *r = &w->records[w->records_next++ % RECORDS_MAX];
    if (w->records_len < RECORDS_MAX) w->records_len++;
    *r = (struct record){.holder = *holder, .owner = p->number, .epoch = epoch};
    r->visible_us = network_now(w->network) + draw_us(&p->rng, c->put_median, c->put_median * 2);
}

void records_announce_entry(struct world *w, const struct entry *entry) {
    if (entry->broadcast < w->entry.broadcast) return; /* as whoever reads the key */
    w->entry = *entry;
    w->entry_us = network_now(w->network) + (uint64_t)(w->scenario.put_median * 1000);
}

/* Made once for as many as are on their way at a time, and used again. */
struct lookup {
    struct lookup *next;      /* of all that were made */
    struct lookup *next_idle; /* of those that are over */
    struct resident *peer;
    uint32_t life;
};

/* Records of the epochs around now: FETCHED_MAX of them at random, as one search brings. */
static void fetch_records(struct resident *p) {
    struct world *w = p->world;
    uint64_t now_us = network_now(w->network), epoch = epoch_at(UTC_START_US + now_us);
    unsigned fetched = 0;
    if (w->records_len == 0) return;
    size_t first = (size_t)rng_below(&p->rng, w->records_len);
    for (size_t i = 0; i < w->records_len && fetched < FETCHED_MAX; i++) {
        /* A stride that is prime: neighbours in the table announced at the same time. */
        const struct record *r = &w->records[(first + i * 4099) % w->records_len];
        bool is_near = r->epoch + 1 >= epoch && r->epoch <= epoch + 1;
        if (!is_near || r->visible_us > now_us || now_us - r->visible_us > RECORD_LIFE_US) continue;
        node_holders_found(p->node, p->channel, &r->holder, 1, now_us);
        fetched++;
    }
}

static void on_found(void *context) {
    struct lookup *l = context;
    struct resident *p = l->peer;
    struct world *w = p->world;
    uint64_t now_us = network_now(w->network);
    bool is_same = p->is_up && p->life == l->life;
    l->next_idle = w->lookups_idle;
    w->lookups_idle = l;
    if (!is_same || rng_unit(&p->rng) < w->scenario.find_failure) return;
    bool is_surrounded = liars_surround(p);
    if (!is_surrounded) fetch_records(p);
    bool has_entry = !is_surrounded && w->entry_us != 0 && w->entry_us <= now_us;
    for (size_t i = 0; has_entry && i < w->entry.holders_len; i++)
        node_peer_found(p->node, p->channel, &w->entry.holders[i].peer,
                        &w->entry.holders[i].endpoint, now_us);
    network_wake(w->network, p->number);
}

static struct lookup *take_lookup(struct world *w) {
    struct lookup *l = w->lookups_idle;
    if (l != NULL) {
        w->lookups_idle = l->next_idle;
        return l;
    }
    l = world_allocate(1, sizeof *l);
    l->next = w->lookups;
    return w->lookups = l;
}

void records_release(struct world *w) {
    while (w->lookups != NULL) {
        struct lookup *next = w->lookups->next;
        free(w->lookups);
        w->lookups = next;
    }
    free(w->records);
}

void records_look_up(struct resident *p) {
    struct world *w = p->world;
    struct lookup *l = take_lookup(w);
    l->peer = p;
    l->life = p->life;
    uint64_t takes_us = draw_us(&p->rng, w->scenario.find_median, w->scenario.find_p95);
    network_at(w->network, network_now(w->network) + takes_us, on_found, l);
}
