/* path.h - the peer's address: a link moves to a new one only when the peer has answered from there
 * (RFC 9000, 8.2 and 9.3). Until then at most three times what came from there goes there. */
#ifndef PATH_H
#define PATH_H

#include "core/base/endpoint.h"
#include "core/link/frame.h"

#define PATH_TRIES_MAX 4
#define PATH_RETRY_US (250 * US_PER_MS)

struct link;

/* An address that the peer seems to have moved to, and an answer to the peer that found us at
 * another. On the heap while one of them is under way. */
struct path {
    bool is_active, answer_is_due;
    struct endpoint to, answer_to;
    uint8_t challenge[FRAME_PATH_BYTES], answer[FRAME_PATH_BYTES];
    unsigned tries;
    uint64_t next_us;
    uint64_t bytes_in, bytes_out;
};

/* An authentic datagram came from `from`. */
void path_heard(struct link *l, const struct endpoint *from, size_t bytes, bool is_newest,
                uint64_t now_us);
void path_take_challenge(struct link *l, const struct endpoint *from,
                         const uint8_t data[FRAME_PATH_BYTES]);
void path_take_response(struct link *l, const uint8_t data[FRAME_PATH_BYTES], uint64_t now_us);
/* Forgets what is under way. */
void path_release(struct link *l);
uint64_t path_deadline(const struct link *l);
size_t path_transmit(struct link *l, struct datagram *ret, uint64_t now_us);

#endif
