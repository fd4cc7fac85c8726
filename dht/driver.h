/* driver.h - what keeps and finds bytes under a key: OpenDHT, or a list in memory.
 *
 * Internal to dht/. Every operation has a number of its own and ends with one notice in the
 * mailbox, whichever thread it comes from. */
#ifndef DRIVER_H
#define DRIVER_H

#include "dht/discovery.h"
#include "dht/mailbox.h"

struct discovery_driver {
    const char *name;
    /* Returns 0, or an error with a line at `why`. The mailbox outlives the driver. */
    int (*open)(void **ret, const struct discovery_config *config, struct mailbox *mailbox,
                char *why);
    void (*free)(void *self);
    uint16_t (*port)(void *self);
    /* MAIL_VALUE for each value (empty where it is over ENTRY_SIZE_MAX), then MAIL_GET_DONE. */
    int (*get)(void *self, const struct record_key *key, uint32_t op);
    /* MAIL_PUT_DONE. The bytes are copied. */
    int (*put)(void *self, const struct record_key *key, const void *data, size_t len, uint32_t op);
    /* MAIL_PING_DONE; a node that answers is known from then on. NULL: there is no network. */
    int (*ping)(void *self, const struct endpoint *to, uint32_t op);
    /* MAIL_GET_DONE, ok where any node of the DHT answers. NULL with `ping`. */
    int (*probe)(void *self, uint32_t op);
};

/* Puts any bytes, for tests of what strangers may do. Returns 0 or ERR_FULL. */
MUST_CHECK int discovery_put(struct discovery *d, const struct record_key *key, const void *data,
                             size_t len);

#endif
