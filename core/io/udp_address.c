#include "core/io/udp_address.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "core/base/err.h"

int udp_address_parse(const char *text, struct endpoint *ret) {
    if (strchr(text, ':') != NULL) return endpoint_parse(text, ret);
    char whole[16];
    int len = snprintf(whole, sizeof whole, "[::]:%s", text);
    if (len < 0 || (size_t)len >= sizeof whole) return ERR_FORMAT;
    return endpoint_parse(whole, ret);
}

bool udp_address_fits_ipv4(const struct endpoint *e) {
    static const uint8_t zeros[16];
    return endpoint_is_ipv4(e) || memcmp(e->ip, zeros, sizeof zeros) == 0;
}

socklen_t udp_address_from_endpoint(const struct endpoint *e, bool ipv6,
                                    struct sockaddr_storage *ret) {
    memset(ret, 0, sizeof *ret);
    if (ipv6) {
        struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6, .sin6_port = htons(e->port)};
        memcpy(&sin6.sin6_addr, e->ip, sizeof e->ip);
        memcpy(ret, &sin6, sizeof sin6);
        return sizeof sin6;
    }
    assert(udp_address_fits_ipv4(e));
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(e->port)};
    memcpy(&sin.sin_addr, e->ip + 12, 4);
    memcpy(ret, &sin, sizeof sin);
    return sizeof sin;
}

bool udp_address_to_endpoint(const struct sockaddr *sa, struct endpoint *ret) {
    if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 sin6;
        memcpy(&sin6, sa, sizeof sin6);
        memcpy(ret->ip, &sin6.sin6_addr, sizeof ret->ip);
        ret->port = ntohs(sin6.sin6_port);
        return true;
    }
    if (sa->sa_family != AF_INET) return false;
    struct sockaddr_in sin;
    memcpy(&sin, sa, sizeof sin);
    *ret = (struct endpoint){.ip = {[10] = 0xff, [11] = 0xff}, .port = ntohs(sin.sin_port)};
    memcpy(ret->ip + 12, &sin.sin_addr, 4);
    return true;
}
