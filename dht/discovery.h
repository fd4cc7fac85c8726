/* discovery.h - finding who holds a channel, and telling others that we do (PROTOCOL 21).
 *
 * One node of a DHT for all channels of the program. It speaks of holder records and entry records;
 * whom to dial, and when to look or to announce, is the caller's. Everything happens on the
 * caller's thread: it watches discovery_fd and calls discovery_dispatch, which does a bounded piece
 * of work and calls back. What comes from the DHT comes from strangers: a record is handed on only
 * when its size, form, signature and times are right, and once in a search. */
#ifndef DISCOVERY_H
#define DISCOVERY_H

#include <stdbool.h>

#include "core/base/endpoint.h"
#include "core/proto/holder.h"

#define DISCOVERY_CHANNELS_MAX 16           /* as many as share a link */
#define DISCOVERY_BOOTSTRAP_MAX 8           /* hosts */
#define DISCOVERY_PUTS_MAX 64               /* records on their way */
#define DISCOVERY_VALUES_A_DISPATCH 64      /* 3 ms at 52 us a signature */
#define DISCOVERY_HOLDERS_MAX 1024          /* handed on in one search of a channel */
#define DISCOVERY_SEARCH_US (30 * US_PER_S) /* an epoch; OpenDHT's own end is usually earlier */
#define DISCOVERY_PUT_US (60 * US_PER_S)
#define DISCOVERY_FUTURE_S 600 /* clock errors that we live with */
#define DISCOVERY_OLD_S 3600
#define DISCOVERY_WHY_MAX 200

struct discovery;
struct discovery_driver;
struct static_list;

extern const struct discovery_driver discovery_opendht;
extern const struct discovery_driver discovery_static_list; /* dht/static_list.h */

/* Called once with a host's addresses, on any thread, also after discovery_free. */
typedef void (*discovery_addresses_fn)(void *ctx, const struct endpoint *endpoints, size_t len);

struct discovery_config {
    const struct discovery_driver *driver; /* NULL: OpenDHT */
    uint16_t port;                         /* UDP; 0: the one in the state file, or a free one */
    const char *const *bootstrap;          /* HOST:PORT; none: alone until somebody comes */
    size_t bootstrap_len;
    /* For bootstrap hosts with a name: asks the system without blocking, and answers later. Returns
     * 0, or an error and then does not answer. core/io/lookup.h has one that fits. NULL: only
     * numeric addresses are taken. */
    int (*lookup)(const char *host, uint16_t port, discovery_addresses_fn fn, void *ctx);
    /* Where OpenDHT keeps its node id, port and neighbours, or NULL. It writes them in
     * discovery_free alone: a program that is killed remembers the ones of its last clean end.
     * Two nodes must not share it: the second opens without. */
    const char *state_path;
    bool is_bootstrap;        /* serves as an entrance for others */
    uint32_t network;         /* nodes of another number are not spoken to; 0 is the public one */
    uint64_t search_us;       /* a key's lookup ends by then; 0: DISCOVERY_SEARCH_US */
    struct static_list *list; /* for the static list alone; NULL: one of its own */
};

enum discovery_event {
    DISCOVERY_CONNECTED, /* the DHT answers */
    DISCOVERY_DISCONNECTED,
    DISCOVERY_UNREACHABLE, /* no bootstrap host answers: told once, tried again with back-off */
    DISCOVERY_RECOVERED,   /* one does, after DISCOVERY_UNREACHABLE */
};

/* One search of a channel: all its keys. */
struct discovery_search {
    bool ok; /* the DHT answered for at least one key */
    uint64_t values, valid, refused, repeated;
    uint64_t duration_us;
};

/* Called from discovery_dispatch alone. They may call everything but discovery_free. */
struct discovery_handler {
    /* `age_s` is 0 for a record of the future. A peer's newer record in the same epoch follows its
     * older one. */
    void (*holder)(void *ctx, const struct public_key *channel, uint64_t epoch,
                   const struct holder *holder, uint64_t age_s);
    /* The newest so far in this search. */
    void (*entry)(void *ctx, const struct public_key *channel, const struct entry *entry);
    void (*search_done)(void *ctx, const struct public_key *channel,
                        const struct discovery_search *search);
    void (*state)(void *ctx, enum discovery_event event);
};

enum discovery_refusal {
    REFUSED_SIZE,      /* empty, or over ENTRY_SIZE_MAX */
    REFUSED_FORM,      /* of another version, cut, too long, out of range */
    REFUSED_SIGNATURE, /* also a record of another channel or epoch */
    REFUSED_FUTURE,
    REFUSED_OLD,  /* also an expired delegation */
    REFUSED_MANY, /* beyond DISCOVERY_HOLDERS_MAX */
    REFUSED_COUNT,
};

struct discovery_stats {
    uint64_t gets, gets_ok, gets_failed; /* one for each key */
    uint64_t puts, puts_ok, puts_failed;
    uint64_t values, values_valid, values_repeated;
    uint64_t refused[REFUSED_COUNT];
    uint64_t dropped;            /* did not fit the queue of what OpenDHT's threads bring */
    uint64_t bootstrap_attempts; /* times that all hosts were tried */
    bool connected;
};

/* Returns 0, or ERR_FORMAT (a bootstrap host), ERR_EXISTS (port in use), ERR_MEMORY, ERR_SYSTEM
 * with a line at `why` (DISCOVERY_WHY_MAX bytes). The config is not kept. Does not wait for the
 * network. */
MUST_CHECK int discovery_open(struct discovery **ret, const struct discovery_config *config,
                              char *why);
/* Takes at most half a second more than nothing. */
void discovery_free(struct discovery *d);
/* Readable when discovery_dispatch has something to do. */
int discovery_fd(const struct discovery *d);
/* `utc_us` judges the records' times. */
void discovery_dispatch(struct discovery *d, const struct discovery_handler *handler, void *ctx,
                        uint64_t utc_us);

/* Looks up the previous, current and next epoch of `utc_us` and the entry, at once. A key that is
 * being looked up is left at it; search_done comes when the channel's last key is done. While the
 * DHT does not answer, the keys wait. The channel is kept until
 * discovery_forget. Returns 0, or ERR_FULL: too many channels. */
MUST_CHECK int discovery_find(struct discovery *d, const struct public_key *channel,
                              uint64_t utc_us);
/* Ends the channel's search: nothing of it is called back any more. */
void discovery_forget(struct discovery *d, const struct public_key *channel);

/* Sign and put a record; it stays 10 minutes. OpenDHT knows no overwriting: a changed record is one
 * more, and readers take the newest. Returns 0, ERR_RANGE (fields), or ERR_FULL. */
MUST_CHECK int discovery_announce_holder(struct discovery *d, const struct public_key *channel,
                                         uint64_t epoch, const struct holder *holder,
                                         const struct sign_key *peer_key);
MUST_CHECK int discovery_announce_entry(struct discovery *d, const struct public_key *channel,
                                        const struct entry *entry,
                                        const struct sign_key *broadcast_key);

/* The UDP port of the DHT node, 0 for the static list. */
uint16_t discovery_port(const struct discovery *d);
struct discovery_stats discovery_stats(const struct discovery *d);

#endif
