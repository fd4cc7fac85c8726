#include "dht/put_queue.h"

#include <assert.h>
#include <string.h>

#include "core/base/err.h"

int put_queue_add(struct put_queue *q, const struct record_key *key, const void *data, size_t len,
                  uint64_t now_us) {
    assert(len <= ENTRY_SIZE_MAX);
    size_t at = 0;
    while (at < DISCOVERY_PUTS_MAX && q->puts[at].state != PUT_FREE) at++;
    if (at == DISCOVERY_PUTS_MAX) return ERR_FULL;
    struct put *p = &q->puts[at];
    p->state = PUT_WAITING;
    p->started_us = now_us;
    p->key = *key;
    p->len = len;
    memcpy(p->data, data, len);
    q->added++;
    return 0;
}

static void put_end(struct put_queue *q, struct put *p, bool ok) {
    p->state = PUT_FREE;
    *(ok ? &q->ok : &q->failed) += 1;
}

void put_queue_start(struct put_queue *q, const struct discovery_driver *driver, void *node,
                     struct mailbox *mailbox) {
    for (size_t i = 0; i < DISCOVERY_PUTS_MAX; i++) {
        struct put *p = &q->puts[i];
        if (p->state != PUT_WAITING) continue;
        p->op = mailbox_next_op(mailbox);
        p->state = PUT_RUNNING;
        if (driver->put(node, &p->key, p->data, p->len, p->op) != 0) put_end(q, p, false);
    }
}

bool put_queue_done(struct put_queue *q, uint32_t op, bool ok) {
    for (size_t i = 0; i < DISCOVERY_PUTS_MAX; i++) {
        if (q->puts[i].state != PUT_RUNNING || q->puts[i].op != op) continue;
        put_end(q, &q->puts[i], ok);
        return true;
    }
    return false;
}

void put_queue_expire(struct put_queue *q, uint64_t now_us) {
    for (size_t i = 0; i < DISCOVERY_PUTS_MAX; i++) {
        struct put *p = &q->puts[i];
        if (p->state != PUT_FREE && now_us >= p->started_us + DISCOVERY_PUT_US)
            put_end(q, p, false);
    }
}

uint64_t put_queue_deadline(const struct put_queue *q) {
    uint64_t next_us = TIME_NEVER;
    for (size_t i = 0; i < DISCOVERY_PUTS_MAX; i++)
        if (q->puts[i].state != PUT_FREE)
            next_us = u64_min(next_us, q->puts[i].started_us + DISCOVERY_PUT_US);
    return next_us;
}
