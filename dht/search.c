#include "dht/search.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/crypto/random.h"

static_assert((SEARCH_SEEN_MAX & (SEARCH_SEEN_MAX - 1)) == 0, "an index is masked");

struct search *search_new(const struct public_key *channel) {
    struct search *s = calloc(1, sizeof *s);
    if (s == NULL) return NULL;
    s->channel = *channel;
    struct random random = random_from_system();
    random_bytes(&random, s->seen_key, sizeof s->seen_key);
    return s;
}

void search_free(struct search *s) { free(s); }

bool search_is_idle(const struct search *s) {
    for (size_t i = 0; i < SEARCH_KEYS_MAX; i++)
        if (s->lookups[i].state != LOOKUP_FREE) return false;
    return true;
}

/* A new search hands everything on again: the caller may have forgotten it. */
static void search_restart(struct search *s, uint64_t now_us) {
    s->started_us = now_us;
    s->counts = (struct discovery_search){0};
    s->entry_broadcast = s->entry_issued_s = 0;
    s->seen_len = s->holders_len = 0;
    memset(s->seen, 0, sizeof s->seen);
}

static size_t lookup_add(struct search *s, const struct lookup *wanted) {
    struct lookup *free_slot = NULL;
    for (size_t i = 0; i < SEARCH_KEYS_MAX; i++) {
        struct lookup *l = &s->lookups[i];
        if (l->state == LOOKUP_FREE)
            free_slot = l;
        else if (memcmp(&l->key, &wanted->key, sizeof l->key) == 0)
            return 0;
    }
    /* None free: two epochs' lookups hang, and end by their deadline before the next is asked. */
    if (free_slot == NULL) return 0;
    *free_slot = *wanted;
    return 1;
}

size_t search_want(struct search *s, uint64_t utc_us, uint64_t now_us) {
    if (search_is_idle(s)) search_restart(s, now_us);
    uint64_t now_epoch = epoch_at(utc_us);
    size_t added = 0;
    struct lookup l = {.state = LOOKUP_WAITING, .started_us = now_us};
    for (uint64_t epoch = u64_sub(now_epoch, 1); epoch <= now_epoch + 1; epoch++) {
        l.epoch = epoch;
        l.key = holder_record_key(&s->channel, epoch);
        added += lookup_add(s, &l);
    }
    l.is_entry = true;
    l.epoch = 0;
    l.key = entry_record_key(&s->channel);
    return added + lookup_add(s, &l);
}

struct lookup *search_lookup(struct search *s, uint32_t op) {
    for (size_t i = 0; i < SEARCH_KEYS_MAX; i++)
        if (s->lookups[i].state == LOOKUP_RUNNING && s->lookups[i].op == op) return &s->lookups[i];
    return NULL;
}

/* Remembers the value. True where it was known: not to be judged again. A full table forgets
 * nothing and remembers no more; what repeats then is judged again. */
static bool was_seen(struct search *s, const struct lookup *l, const void *data, size_t len) {
    uint64_t hash = hash_table_key(s->seen_key, data, len) ^ l->epoch << 1 ^ l->is_entry;
    if (hash == 0) hash = 1;
    size_t at = (size_t)hash & (SEARCH_SEEN_MAX - 1);
    while (s->seen[at] != 0) {
        if (s->seen[at] == hash) return true;
        at = (at + 1) & (SEARCH_SEEN_MAX - 1);
    }
    if (s->seen_len < SEARCH_SEEN_MAX / 4 * 3) {
        s->seen[at] = hash;
        s->seen_len++;
    }
    return false;
}

static enum discovery_refusal refusal_of(int err) {
    return err == ERR_SIGNATURE ? REFUSED_SIGNATURE : REFUSED_FORM;
}

/* Returns REFUSED_COUNT for a time that is right. */
static enum discovery_refusal judge_time(uint64_t issued_s, uint64_t utc_us) {
    uint64_t now_s = utc_us / US_PER_S;
    if (u64_sub(issued_s, now_s) > DISCOVERY_FUTURE_S) return REFUSED_FUTURE;
    return u64_sub(now_s, issued_s) > DISCOVERY_OLD_S ? REFUSED_OLD : REFUSED_COUNT;
}

static struct found_holder *find_holder(struct search *s, const struct public_key *peer,
                                        uint64_t epoch) {
    for (size_t i = 0; i < s->holders_len; i++)
        if (s->holders[i].epoch == epoch && public_key_equal(&s->holders[i].peer, peer))
            return &s->holders[i];
    return NULL;
}

/* What came of a value: handed on, refused for a reason, or REPEATED. */
#define ACCEPTED REFUSED_COUNT
#define REPEATED (REFUSED_COUNT + 1)

static int take_holder(struct search *s, const struct lookup *l, const void *data, size_t len,
                       uint64_t utc_us, const struct discovery_handler *handler, void *ctx) {
    struct holder h;
    int err = holder_open(data, len, &l->key, &h);
    if (err) return (int)refusal_of(err);
    enum discovery_refusal refusal = judge_time(h.issued_s, utc_us);
    if (refusal != REFUSED_COUNT) return (int)refusal;
    struct found_holder *known = find_holder(s, &h.peer, l->epoch);
    if (known != NULL && known->issued_s >= h.issued_s) return REPEATED;
    if (known == NULL && s->holders_len == DISCOVERY_HOLDERS_MAX) return REFUSED_MANY;
    if (known == NULL) known = &s->holders[s->holders_len++];
    *known = (struct found_holder){h.peer, l->epoch, h.issued_s};
    handler->holder(ctx, &s->channel, l->epoch, &h, u64_sub(utc_us / US_PER_S, h.issued_s));
    return ACCEPTED;
}

static int take_entry(struct search *s, const void *data, size_t len, uint64_t utc_us,
                      const struct discovery_handler *handler, void *ctx) {
    struct entry e;
    int err = entry_open(data, len, &s->channel, &e);
    if (err) return (int)refusal_of(err);
    enum discovery_refusal refusal = judge_time(e.issued_s, utc_us);
    if (refusal != REFUSED_COUNT) return (int)refusal;
    if (u64_sub(utc_us / US_PER_S, e.expires_s) > DISCOVERY_FUTURE_S) return REFUSED_OLD;
    bool newer = e.broadcast > s->entry_broadcast ||
                 (e.broadcast == s->entry_broadcast && e.issued_s > s->entry_issued_s);
    if (!newer) return REPEATED;
    s->entry_broadcast = e.broadcast;
    s->entry_issued_s = e.issued_s;
    handler->entry(ctx, &s->channel, &e);
    return ACCEPTED;
}

static int take_fresh(struct search *s, struct lookup *l, const void *data, size_t len,
                      uint64_t utc_us, const struct discovery_handler *handler, void *ctx) {
    l->fresh_len++;
    l->known_len++;
    if (l->is_entry) return take_entry(s, data, len, utc_us, handler, ctx);
    return take_holder(s, l, data, len, utc_us, handler, ctx);
}

bool search_round_end(struct lookup *l) {
    bool crowded = l->known_len >= SEARCH_CROWDED && l->valid_len < SEARCH_ENOUGH;
    l->quiet_rounds = l->fresh_len > 0 ? 0 : l->quiet_rounds + 1;
    l->rounds++;
    l->fresh_len = 0;
    return crowded && l->rounds < SEARCH_ROUNDS_MAX && l->quiet_rounds < SEARCH_QUIET_ROUNDS;
}

void search_value(struct search *s, struct lookup *l, const void *data, size_t len, uint64_t utc_us,
                  const struct discovery_handler *handler, void *ctx,
                  struct discovery_stats *stats) {
    s->counts.values++;
    stats->values++;
    int result;
    if (len == 0 || len > ENTRY_SIZE_MAX) {
        result = REFUSED_SIZE;
        l->known_len++; /* junk of any size crowds the key */
    } else if (was_seen(s, l, data, len)) {
        result = REPEATED;
    } else {
        result = take_fresh(s, l, data, len, utc_us, handler, ctx);
    }
    if (result == ACCEPTED) {
        s->counts.valid++;
        l->valid_len++;
        stats->values_valid++;
    } else if (result == REPEATED) {
        s->counts.repeated++;
        stats->values_repeated++;
    } else {
        s->counts.refused++;
        stats->refused[result]++;
    }
}
