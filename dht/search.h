/* search.h - one channel's search: which keys are being looked up, and what was found so far.
 *
 * Values come from strangers, many times over: the same value from several nodes, several records
 * of one peer, and as much junk as somebody cares to put. Each different value is judged once, and
 * each peer's record is handed on when it is newer than the one before. Internal to dht/. */
#ifndef SEARCH_H
#define SEARCH_H

#include "dht/discovery.h"

#define SEARCH_KEYS_MAX 8    /* four at once, and those of the epoch before that are not done */
#define SEARCH_SEEN_MAX 4096 /* different values remembered, a power of two */
/* A key with many values comes in a burst of datagrams, and OpenDHT's socket has the system's usual
 * buffer: of 500 values that four nodes sent over loopback, up to half were lost in a get. OpenDHT
 * ends it all the same; so a crowded key is asked again until two gets in a row brought nothing
 * new, or there are holders enough to dial: a get asks each of eight nodes for each value apart. */
#define SEARCH_CROWDED 32 /* different values */
#define SEARCH_ENOUGH 12  /* good ones */
#define SEARCH_QUIET_ROUNDS 2
#define SEARCH_ROUNDS_MAX 8

enum lookup_state {
    LOOKUP_FREE,
    LOOKUP_WAITING, /* for the DHT to answer at all */
    LOOKUP_RUNNING,
};

/* One key of the search. */
struct lookup {
    enum lookup_state state;
    bool is_entry;
    uint64_t epoch; /* of a holder key */
    struct record_key key;
    uint32_t op;
    uint64_t started_us;
    unsigned rounds, quiet_rounds; /* gets that have ended; those in a row without news */
    uint64_t fresh_len;            /* of this round: values not seen before */
    uint64_t known_len, valid_len; /* of all rounds: different values; those handed on */
};

struct found_holder {
    struct public_key peer;
    uint64_t epoch, issued_s;
};

struct search {
    struct public_key channel;
    bool forgotten; /* freed at the end of the step */
    struct lookup lookups[SEARCH_KEYS_MAX];
    uint64_t started_us;
    struct discovery_search counts;
    uint64_t entry_broadcast, entry_issued_s; /* of the newest entry handed on */
    uint8_t seen_key[16];                     /* secret: nobody can make values that collide */
    size_t seen_len;
    uint64_t seen[SEARCH_SEEN_MAX]; /* hashes of values; 0: free */
    size_t holders_len;
    struct found_holder holders[DISCOVERY_HOLDERS_MAX];
};

struct search *search_new(const struct public_key *channel); /* NULL: no memory */
void search_free(struct search *s);
/* Adds what is not there yet of the four keys, in LOOKUP_WAITING; returns how many. */
size_t search_want(struct search *s, uint64_t utc_us, uint64_t now_us);
bool search_is_idle(const struct search *s);
/* NULL where it is not one of this search. */
struct lookup *search_lookup(struct search *s, uint32_t op);
/* A get of the key has ended well. True where it should be asked again. */
bool search_round_end(struct lookup *l);
/* Judges a value and hands on a good record. */
void search_value(struct search *s, struct lookup *l, const void *data, size_t len, uint64_t utc_us,
                  const struct discovery_handler *handler, void *ctx,
                  struct discovery_stats *stats);

#endif
