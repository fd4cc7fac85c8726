/* session.h - the keys of one established session: counters, key periods and the replay windows.
 *
 * The key in use follows from the counter: counter >> period_bits is the period, and each period's
 * key is the Noise rekeying of the one before. So no bit on the wire says which key was used. A
 * sender changes the period when the counter reaches it, and once its key is two minutes old by
 * skipping to the next period's first counter. A receiver keeps the key of this period, makes the
 * next one's when something claims to be sealed with it, and keeps for a while the one before.
 * Invariant: nothing changes for a datagram that does not open. */
#ifndef SESSION_H
#define SESSION_H

#include "core/crypto/noise.h"
#include "core/link/replay.h"

#define SESSION_PERIOD_BITS 20             /* datagrams sealed with one key: 2^20 */
#define SESSION_PERIOD_US (120 * US_PER_S) /* and for how long */
#define SESSION_PREVIOUS_US (3 * US_PER_S) /* reordering across a change of keys */

/* When keys change; the same at both ends. Tests make periods short. */
struct session_periods {
    unsigned bits;
    uint64_t us;
};

/* The period before the current one. */
struct session_past {
    struct seal_key key;
    uint64_t until_us;
    struct replay window;
};

struct session {
    bool is_ready;
    uint32_t remote_index;
    const struct session_periods *periods;

    uint64_t counter; /* next to be sent */
    uint64_t send_since_us;
    struct seal_key send, receive;
    struct session_past *past; /* NULL before a change of keys, some time after one, or where there
                                  was no memory: then what is late is refused */
    struct replay window;      /* of the period of the highest counter received */
};

/* `periods` are borrowed. */
void session_start(struct session *s, const struct noise *noise, uint32_t remote_index,
                   const struct session_periods *periods, uint64_t now_us);
/* Erases the keys. */
void session_release(struct session *s);

/* What was received of the period before; NULL where nothing is kept. */
const struct replay *session_past_window(const struct session *s);
/* The highest counter received; 0 for none. */
uint64_t session_highest(const struct session *s);

/* The counter for the next datagram; changes the key where a period begins. */
uint64_t session_next_counter(struct session *s, uint64_t now_us);
/* Opens what came with the low bits `low` of its counter. Returns the plain length and the whole
 * counter, or ERR_TRUNCATED, ERR_DECRYPT, ERR_REPLAY or ERR_STALE. */
MUST_CHECK int session_open(struct session *s, uint32_t low, const void *aad, size_t aad_len,
                            const uint8_t *sealed, size_t len, uint8_t *ret, uint64_t *ret_counter,
                            uint64_t now_us);

#endif
