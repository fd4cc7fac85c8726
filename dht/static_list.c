#include "dht/static_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "dht/driver.h"

struct record {
    struct record_key key;
    uint16_t len; /* 0: free */
    uint8_t data[ENTRY_SIZE_MAX];
};

struct static_list {
    size_t next; /* where the next record goes: the oldest, once it is full */
    struct record records[STATIC_LIST_RECORDS_MAX];
};

struct static_node {
    struct static_list *list;
    bool owned;
    struct mailbox *mailbox;
};

struct static_list *static_list_new(void) {
    return calloc(1, sizeof(struct static_list));
}
void static_list_free(struct static_list *list) { free(list); }

int static_list_add(struct static_list *list, const struct record_key *key, const void *data,
                    size_t len) {
    if (len == 0 || len > ENTRY_SIZE_MAX) return ERR_RANGE;
    struct record *r = &list->records[list->next];
    list->next = (list->next + 1) % STATIC_LIST_RECORDS_MAX;
    r->key = *key;
    r->len = (uint16_t)len;
    memcpy(r->data, data, len);
    return 0;
}

static int static_open(void **ret, const struct discovery_config *config, struct mailbox *mailbox,
                       char *why) {
    struct static_node *n = calloc(1, sizeof *n);
    if (n != NULL) n->list = config->list != NULL ? config->list : static_list_new();
    if (n == NULL || n->list == NULL) {
        free(n);
        snprintf(why, DISCOVERY_WHY_MAX, "the list of peers: %s", err_text(ERR_MEMORY));
        return ERR_MEMORY;
    }
    n->owned = config->list == NULL;
    n->mailbox = mailbox;
    *ret = n;
    return 0;
}

static void static_free(void *self) {
    struct static_node *n = self;
    if (n->owned) static_list_free(n->list);
    free(n);
}

static uint16_t static_port(void *self) {
    (void)self;
    return 0;
}

static int static_get(void *self, const struct record_key *key, uint32_t op) {
    struct static_node *n = self;
    void *token = mailbox_token(n->mailbox, op);
    for (size_t i = 0; i < STATIC_LIST_RECORDS_MAX; i++) {
        const struct record *r = &n->list->records[i];
        if (r->len == 0 || memcmp(&r->key, key, sizeof *key) != 0) continue;
        mailbox_post(token, MAIL_VALUE, true, r->data, r->len);
    }
    mailbox_post(token, MAIL_GET_DONE, true, NULL, 0);
    return 0;
}

static int static_put(void *self, const struct record_key *key, const void *data, size_t len,
                      uint32_t op) {
    struct static_node *n = self;
    int err = static_list_add(n->list, key, data, len);
    if (!err) mailbox_post(mailbox_token(n->mailbox, op), MAIL_PUT_DONE, true, NULL, 0);
    return err;
}

const struct discovery_driver discovery_static_list = {
    .name = "static list",
    .open = static_open,
    .free = static_free,
    .port = static_port,
    .get = static_get,
    .put = static_put,
};
