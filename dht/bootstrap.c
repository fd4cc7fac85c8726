#include "dht/bootstrap.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"

static int host_parse(const char *text, struct bootstrap_host *ret) {
    struct bootstrap_host h = {.numeric = endpoint_parse(text, &h.endpoint) == 0};
    if (h.numeric) {
        if (!endpoint_is_usable(&h.endpoint)) return ERR_FORMAT;
        *ret = h;
        return 0;
    }
    const char *colon = strchr(text, ':'); /* a bare IPv6 address has more of them: not a port */
    if (colon == NULL || colon == text || (size_t)(colon - text) >= sizeof h.name)
        return ERR_FORMAT;
    if (colon[1] < '0' || colon[1] > '9') return ERR_FORMAT;
    char *end;
    unsigned long port = strtoul(colon + 1, &end, 10);
    if (*end != '\0' || port == 0 || port > UINT16_MAX) return ERR_FORMAT;
    memcpy(h.name, text, (size_t)(colon - text));
    h.port = (uint16_t)port;
    *ret = h;
    return 0;
}

int bootstrap_init(struct bootstrap *b, const char *const *hosts, size_t len, bool names,
                   uint64_t now_us, size_t *ret_bad) {
    memset(b, 0, sizeof *b);
    if (len > DISCOVERY_BOOTSTRAP_MAX) return ERR_RANGE;
    for (size_t i = 0; i < len; i++) {
        int err = host_parse(hosts[i], &b->hosts[i]);
        if (!err && !names && !b->hosts[i].numeric) err = ERR_FORMAT;
        if (err) {
            *ret_bad = i;
            return err;
        }
    }
    b->len = len;
    b->backoff_s = 1;
    b->next_us = len > 0 ? now_us : TIME_NEVER;
    return 0;
}

static void tell(struct bootstrap *b, enum discovery_event event) {
    assert(b->events_len < BOOTSTRAP_EVENTS_MAX); /* looked at after each step */
    b->events[b->events_len++] = event;
}

bool bootstrap_next_event(struct bootstrap *b, enum discovery_event *ret) {
    if (b->events_len == 0) return false;
    *ret = b->events[0];
    b->events_len--;
    memmove(b->events, b->events + 1, b->events_len * sizeof b->events[0]);
    return true;
}

bool bootstrap_begin(struct bootstrap *b, uint64_t now_us) {
    if (b->trying || now_us < b->next_us) return false;
    b->trying = true;
    b->answered = false;
    b->due = 1;
    b->next_us = now_us + BOOTSTRAP_TRY_US;
    b->tries++;
    return true;
}

void bootstrap_asked(struct bootstrap *b) { b->due++; }

static void try_end(struct bootstrap *b, uint64_t now_us) {
    b->trying = false;
    if (b->answered) {
        b->next_us = TIME_NEVER;
        return;
    }
    if (!b->unreachable) {
        b->unreachable = true;
        tell(b, DISCOVERY_UNREACHABLE);
    }
    b->next_us = now_us + b->backoff_s * US_PER_S;
    b->backoff_s = (unsigned)size_min(2 * b->backoff_s, BOOTSTRAP_BACKOFF_S_MAX);
}

void bootstrap_answered(struct bootstrap *b, bool ok, uint64_t now_us) {
    if (ok) {
        b->answered = true;
        b->backoff_s = 1;
        bootstrap_set_connected(b);
        if (b->unreachable) tell(b, DISCOVERY_RECOVERED);
        b->unreachable = false;
    }
    if (b->trying && b->due > 0) b->due--;
    if (b->trying ? b->due == 0 : ok) try_end(b, now_us); /* also the late answer to an old try */
}

void bootstrap_all_asked(struct bootstrap *b, uint64_t now_us) {
    bootstrap_answered(b, false, now_us);
}

void bootstrap_expire(struct bootstrap *b, uint64_t now_us) {
    if (b->trying && now_us >= b->next_us) try_end(b, now_us);
}

uint64_t bootstrap_deadline(const struct bootstrap *b) { return b->next_us; }

void bootstrap_set_connected(struct bootstrap *b) {
    if (b->connected) return;
    b->connected = true;
    tell(b, DISCOVERY_CONNECTED);
}

void bootstrap_set_lost(struct bootstrap *b, uint64_t now_us) {
    if (!b->connected) return;
    b->connected = false;
    tell(b, DISCOVERY_DISCONNECTED);
    if (b->len > 0 && !b->trying) b->next_us = now_us;
}
