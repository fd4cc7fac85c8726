/* handshake.h - how a session begins: our own dial, and the answer to a peer's.
 *
 * A link may have both under way. Of two dials that cross, the one from the smaller key stays: its
 * sender drops the other's message 1 (and tries the address that it came from as well), the other
 * end takes it over into the link that it dials with. The dial goes on beside the answer until one
 * of them makes the session, so that a repeated old message 1 never stops a dial. */
#ifndef HANDSHAKE_H
#define HANDSHAKE_H

#include "core/link/outbox.h"
#include "core/link/packet.h"

#define LINKS_HALF_OPEN_MAX 64               /* links in LINK_UNPROVEN */
#define LINK_HALF_OPEN_US (5 * US_PER_S)     /* and for how long */
#define LINK_DIAL_RETRY_US (250 * US_PER_MS) /* doubling */
#define LINK_DIAL_US (3 * US_PER_S)
#define LINK_CROSSED_US US_PER_S /* a first message this late may have crossed our own */
#define LINK_HANDSHAKE_REFS_MAX 32

struct link;
struct links;

/* Our own handshake, on the heap while it is under way. */
struct dial {
    bool has_noise, has_heard, has_cookie;
    unsigned attempts;
    uint64_t next_us, end_us, sent_us, cookie_us;
    struct endpoint to, heard; /* heard: whence the peer's own first message came */
    struct noise noise;
    uint8_t mac1[PACKET_MAC_BYTES]; /* of the last first message */
    uint8_t cookie[COOKIE_BYTES];
    outbox_ref refs[LINK_HANDSHAKE_REFS_MAX]; /* what it carried */
    unsigned refs_len;
};

/* The answer to the peer's, on the heap while the link is LINK_UNPROVEN. */
struct answer {
    bool is_due;
    uint32_t remote_index;
    uint64_t sent_us, expires_us;
    uint64_t bytes_in, bytes_out; /* from and to the address, while it is not proven */
    struct noise noise;
    outbox_ref refs[LINK_HANDSHAKE_REFS_MAX];
    unsigned refs_len;
};

void prologue_write(struct writer *w, const struct public_key *responder, const uint8_t *header);
void handshake_take_init(struct links *ls, const struct datagram *d, uint64_t now_us);
size_t handshake_write_response(struct link *l, struct datagram *ret, uint64_t now_us);
/* Returns 0 or ERR_MEMORY. */
MUST_CHECK int dial_start(struct link *l, const struct endpoint *to, uint64_t first_us);
void dial_end(struct link *l);
MUST_CHECK int answer_start(struct link *l);
void answer_end(struct link *l);
size_t dial_write_init(struct link *l, struct datagram *ret, uint64_t now_us);
void dial_take_response(struct links *ls, const struct datagram *d, uint64_t now_us);
void dial_take_cookie(struct links *ls, const struct datagram *d, uint64_t now_us);
void dial_take_version(struct links *ls, const struct datagram *d, uint64_t now_us);

#endif
