#include "core/io/local.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <string.h>

#include "core/io/udp_address.h"

#define LOCAL_ADDRESSES_MAX 128 /* read from the system; a host with more has enough in these */

static bool is_bound_to_all(const struct endpoint *e) {
    struct endpoint with_port = *e;
    with_port.port = 1;
    return endpoint_is_empty(&with_port);
}

static bool is_link_local(const struct endpoint *e) {
    if (endpoint_is_ipv4(e)) return e->ip[12] == 169 && e->ip[13] == 254;
    return e->ip[0] == 0xfe && (e->ip[1] & 0xc0) == 0x80;
}

static bool is_container_bridge(const char *interface) {
    static const char *const prefixes[] = {"docker", "veth", "br-",   "virbr",
                                           "cni",    "lxc",  "podman"};
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
        if (strncmp(interface, prefixes[i], strlen(prefixes[i])) == 0) return true;
    return false;
}

static bool is_worth_telling(const struct local_address *a) {
    return a->up && !a->point_to_point && !endpoint_is_loopback(&a->endpoint) &&
           !is_link_local(&a->endpoint) && !is_container_bridge(a->interface);
}

static size_t add(struct endpoint *ret, size_t len, size_t max, struct endpoint e, uint16_t port) {
    e.port = port;
    for (size_t i = 0; i < len; i++)
        if (endpoint_equal(&ret[i], &e)) return len;
    if (len < max) ret[len++] = e;
    return len;
}

size_t local_select(const struct local_address *list, size_t len, const struct endpoint *bound,
                    struct endpoint *ret, size_t max) {
    if (!is_bound_to_all(bound)) return add(ret, 0, max, *bound, bound->port);
    bool only_ipv4 = endpoint_is_ipv4(bound);
    size_t n = 0;
    for (int ipv4 = 1; ipv4 >= (only_ipv4 ? 1 : 0); ipv4--)
        for (size_t i = 0; i < len; i++)
            if (is_worth_telling(&list[i]) && endpoint_is_ipv4(&list[i].endpoint) == (ipv4 == 1))
                n = add(ret, n, max, list[i].endpoint, bound->port);
    if (n > 0) return n;
    struct endpoint loopback = {.ip = {[10] = 0xff, 0xff, 127, 0, 0, 1}};
    return add(ret, 0, max, loopback, bound->port);
}

size_t io_local_endpoints(const struct endpoint *bound, struct endpoint *ret, size_t max) {
    struct local_address list[LOCAL_ADDRESSES_MAX];
    size_t len = 0;
    struct ifaddrs *all = NULL;
    if (getifaddrs(&all) != 0) all = NULL; /* then loopback is all that we know */
    for (struct ifaddrs *a = all; a != NULL && len < ARRAY_LEN(list); a = a->ifa_next) {
        if (a->ifa_addr == NULL) continue;
        if (!udp_address_to_endpoint(a->ifa_addr, &list[len].endpoint)) continue;
        list[len].interface = a->ifa_name;
        list[len].up = (a->ifa_flags & IFF_UP) != 0;
        list[len].point_to_point = (a->ifa_flags & IFF_POINTOPOINT) != 0;
        len++;
    }
    size_t n = local_select(list, len, bound, ret, max);
    if (all != NULL) freeifaddrs(all);
    return n;
}
