#include "core/base/endpoint.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
static const uint8_t zeros[16];

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b) {
    return a->port == b->port && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

bool endpoint_is_ipv4(const struct endpoint *e) {
    return memcmp(e->ip, mapped_prefix, sizeof mapped_prefix) == 0;
}

bool endpoint_is_loopback(const struct endpoint *e) {
    static const uint8_t loopback6[16] = {[15] = 1};
    if (endpoint_is_ipv4(e)) return e->ip[12] == 127;
    return memcmp(e->ip, loopback6, sizeof loopback6) == 0;
}

static bool ip_is_unspecified(const struct endpoint *e) {
    return memcmp(e->ip, zeros, 16) == 0 ||
           (endpoint_is_ipv4(e) && memcmp(e->ip + 12, zeros, 4) == 0);
}

bool endpoint_is_empty(const struct endpoint *e) { return e->port == 0 || ip_is_unspecified(e); }

bool endpoint_is_usable(const struct endpoint *e) {
    if (endpoint_is_empty(e)) return false;
    if (endpoint_is_ipv4(e))
        return e->ip[12] != 0 && e->ip[12] < 224; /* 224/4 and above: RFC 1112 */
    return e->ip[0] != 0xff;
}

static int port_parse(const char *text, uint16_t *ret) {
    if (text[0] < '0' || text[0] > '9') return ERR_FORMAT;
    char *end;
    unsigned long port = strtoul(text, &end, 10);
    if (*end != '\0' || port > UINT16_MAX) return ERR_FORMAT;
    *ret = (uint16_t)port;
    return 0;
}

int endpoint_parse(const char *text, struct endpoint *ret) {
    char host[INET6_ADDRSTRLEN + 1];
    bool bracketed = text[0] == '[';
    const char *start = bracketed ? text + 1 : text;
    const char *stop = bracketed ? strchr(start, ']') : strrchr(start, ':');
    if (stop == NULL || (size_t)(stop - start) >= sizeof host) return ERR_FORMAT;
    if (bracketed && stop[1] != ':') return ERR_FORMAT;
    memcpy(host, start, (size_t)(stop - start));
    host[stop - start] = '\0';

    struct endpoint e;
    if (bracketed) {
        if (inet_pton(AF_INET6, host, e.ip) != 1) return ERR_FORMAT;
    } else {
        memcpy(e.ip, mapped_prefix, sizeof mapped_prefix);
        if (inet_pton(AF_INET, host, e.ip + 12) != 1) return ERR_FORMAT;
    }
    int err = port_parse(stop + (bracketed ? 2 : 1), &e.port);
    if (err) return err;
    *ret = e;
    return 0;
}

const char *endpoint_format(const struct endpoint *e, char *ret) {
    char host[INET6_ADDRSTRLEN];
    if (endpoint_is_ipv4(e)) {
        inet_ntop(AF_INET, e->ip + 12, host, sizeof host);
        snprintf(ret, ENDPOINT_TEXT_MAX, "%s:%u", host, e->port);
    } else {
        inet_ntop(AF_INET6, e->ip, host, sizeof host);
        snprintf(ret, ENDPOINT_TEXT_MAX, "[%s]:%u", host, e->port);
    }
    return ret;
}

const char *endpoint_format_masked(const struct endpoint *e, char *ret) {
    if (endpoint_is_ipv4(e))
        snprintf(ret, ENDPOINT_TEXT_MAX, "%u.%u.x.x:%u", e->ip[12], e->ip[13], e->port);
    else
        snprintf(ret, ENDPOINT_TEXT_MAX, "[%x:%x:x]:%u", e->ip[0] << 8 | e->ip[1],
                 e->ip[2] << 8 | e->ip[3], e->port);
    return ret;
}

void endpoint_write(struct writer *w, const struct endpoint *e) {
    write_bytes(w, e->ip, sizeof e->ip);
    write_u16(w, e->port);
}

void endpoint_read(struct reader *r, struct endpoint *ret) {
    read_copy(r, ret->ip, sizeof ret->ip);
    ret->port = read_u16(r);
}
