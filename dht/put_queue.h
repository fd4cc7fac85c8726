/* put_queue.h - records on their way into the DHT: waiting for it to answer, or being put.
 *
 * Internal to dht/. A record leaves when the put has ended, well or not, or after DISCOVERY_PUT_US:
 * by then a newer one of its kind is due. */
#ifndef PUT_QUEUE_H
#define PUT_QUEUE_H

#include "dht/driver.h"

enum put_state {
    PUT_FREE,
    PUT_WAITING,
    PUT_RUNNING,
};

struct put {
    enum put_state state;
    uint32_t op;
    uint64_t started_us;
    struct record_key key;
    size_t len;
    uint8_t data[ENTRY_SIZE_MAX];
};

struct put_queue {
    uint64_t added, ok, failed;
    struct put puts[DISCOVERY_PUTS_MAX];
};

/* Copies the record, of at most ENTRY_SIZE_MAX bytes. Returns 0 or ERR_FULL. */
MUST_CHECK int put_queue_add(struct put_queue *q, const struct record_key *key, const void *data,
                             size_t len, uint64_t now_us);
/* Starts all that wait. */
void put_queue_start(struct put_queue *q, const struct discovery_driver *driver, void *node,
                     struct mailbox *mailbox);
/* A put has ended. False where it is not one of these. */
bool put_queue_done(struct put_queue *q, uint32_t op, bool ok);
void put_queue_expire(struct put_queue *q, uint64_t now_us);
/* When the oldest expires, or TIME_NEVER. */
uint64_t put_queue_deadline(const struct put_queue *q);

#endif
