/* guard.h - what a stranger's first datagram has to pass before any key is computed: mac1, and
 * under load a cookie that proves its address (WireGuard, 5.3 and 5.4.7).
 *
 * mac1 shows that the sender knows whom it dials; mac2 that it received the cookie that we sent to
 * its address. mac2 is zero for a sender without one; a mac2 that is neither is never let through,
 * so that no bit of a first datagram goes unchecked. */
#ifndef GUARD_H
#define GUARD_H

#include "core/base/endpoint.h"
#include "core/crypto/cookie.h"
#include "core/crypto/random.h"
#include "core/crypto/sign.h"
#include "core/link/packet.h"
#include "core/link/rate.h"

#define GUARD_SECRET_US (120 * US_PER_S) /* a cookie lives for one to two of these */
#define GUARD_PROVEN_FACTOR 4            /* handshakes with a cookie, to those without */

struct guard {
    uint8_t mac_key[32];
    uint8_t cookie_key[32];
    uint8_t secrets[2][32]; /* the current one and the one before */
    uint64_t secret_since_us;
    struct rate unproven, proven;
};

enum guard_verdict {
    GUARD_PASS,
    GUARD_REFUSE,  /* mac1 is wrong */
    GUARD_COOKIE,  /* to be answered with a cookie, and nothing else */
    GUARD_OVERRUN, /* too many, even with cookies */
};

void guard_init(struct guard *g, const struct public_key *self, unsigned handshakes_per_s,
                struct random *random, uint64_t now_us);
enum guard_verdict guard_check(struct guard *g, const struct datagram *d, struct random *random,
                               uint64_t now_us);
/* Writes the COOKIE datagram that answers `d`. */
void guard_write_cookie(const struct guard *g, const struct datagram *d, struct random *random,
                        uint8_t ret[PACKET_COOKIE_SIZE]);

/* The other side: */
/* Fills the last PACKET_MACS_BYTES of a datagram of `len`; `cookie` may be NULL. */
void guard_sign(uint8_t *data, size_t len, const struct public_key *receiver,
                const uint8_t cookie[COOKIE_BYTES]);
/* Whether mac1 at the end of the datagram is for the holder of `key`. */
bool guard_mac1_is_valid(const uint8_t key[32], const uint8_t *data, size_t len);
/* Opens a COOKIE datagram that answers the one with `mac1`, sent to `responder`. */
MUST_CHECK int guard_read_cookie(const uint8_t data[PACKET_COOKIE_SIZE],
                                 const struct public_key *responder,
                                 const uint8_t mac1[PACKET_MAC_BYTES], uint8_t ret[COOKIE_BYTES]);

#endif
