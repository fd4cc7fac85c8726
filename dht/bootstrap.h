/* bootstrap.h - when to try the bootstrap hosts, and what to say about it. No socket, no clock.
 *
 * All hosts are tried at once; one that answers is enough. While none does, all are tried again 1,
 * 2, 4 ... 60 s after the last try ended. A node whose neighbours are remembered may be connected
 * without them: the tries go on, so that a change is noticed, but nothing waits for them.
 * Invariant: DISCOVERY_UNREACHABLE and DISCOVERY_RECOVERED take turns, and so do
 * DISCOVERY_CONNECTED and DISCOVERY_DISCONNECTED. */
#ifndef BOOTSTRAP_H
#define BOOTSTRAP_H

#include "dht/discovery.h"

#define BOOTSTRAP_BACKOFF_S_MAX 60
#define BOOTSTRAP_TRY_US (12 * US_PER_S) /* OpenDHT's ping ends after 7.4 s, a lookup may not */
#define BOOTSTRAP_HOST_MAX 256           /* a DNS name of 255 characters */
#define BOOTSTRAP_EVENTS_MAX 4           /* between two looks at them */

struct bootstrap_host {
    bool numeric;
    struct endpoint endpoint; /* of a numeric one */
    char name[BOOTSTRAP_HOST_MAX];
    uint16_t port;
};

struct bootstrap {
    struct bootstrap_host hosts[DISCOVERY_BOOTSTRAP_MAX];
    size_t len;
    bool connected;
    bool unreachable; /* and told so */
    bool trying;
    bool answered; /* by one host, in this try */
    unsigned due;  /* answers that this try waits for */
    unsigned backoff_s;
    uint64_t next_us; /* of the next try, or the end of this one */
    uint64_t tries;
    enum discovery_event events[BOOTSTRAP_EVENTS_MAX];
    size_t events_len;
};

/* Names are refused unless `names`. Returns 0, or ERR_FORMAT with the number of the bad host at
 * `ret_bad`, or ERR_RANGE: too many. */
MUST_CHECK int bootstrap_init(struct bootstrap *b, const char *const *hosts, size_t len, bool names,
                              uint64_t now_us, size_t *ret_bad);
/* True when it is time for a try, which begins: the caller asks each host, says so for each, and
 * calls bootstrap_all_asked. */
bool bootstrap_begin(struct bootstrap *b, uint64_t now_us);
void bootstrap_all_asked(struct bootstrap *b, uint64_t now_us);
/* One more answer is on its way: to a ping, or to the lookup of a name. */
void bootstrap_asked(struct bootstrap *b);
/* It came. A looked-up name's answer is false; its addresses are asked before. */
void bootstrap_answered(struct bootstrap *b, bool ok, uint64_t now_us);
/* When bootstrap_deadline has come. */
void bootstrap_expire(struct bootstrap *b, uint64_t now_us);
uint64_t bootstrap_deadline(const struct bootstrap *b);
/* Some node of the DHT answered, whichever. */
void bootstrap_set_connected(struct bootstrap *b);
/* None does any more: the hosts are tried at once. */
void bootstrap_set_lost(struct bootstrap *b, uint64_t now_us);
/* The oldest event not yet told. */
bool bootstrap_next_event(struct bootstrap *b, enum discovery_event *ret);

#endif
