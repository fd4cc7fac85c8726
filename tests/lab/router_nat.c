#include "tests/lab/router_nat.h"

#include <netinet/in.h>
#include <string.h>

#define IPV4_FROM 12u
#define IPV4_TO 16u
#define IPV4_CHECKSUM 10u

enum nat_kind nat_kind_named(const char *name) {
    static const char *const names[] = {
        [NAT_FULL_CONE] = "full-cone",
        [NAT_ADDRESS_RESTRICTED] = "address-restricted",
        [NAT_PORT_RESTRICTED] = "port-restricted",
        [NAT_SYMMETRIC] = "symmetric",
    };
    for (int i = NAT_FULL_CONE; i <= NAT_SYMMETRIC; i++)
        if (strcmp(name, names[i]) == 0) return (enum nat_kind)i;
    return NAT_NONE;
}

/* Puts `len` new bytes in place and corrects a checksum over them (RFC 1624). */
static void replace(uint8_t *at, const uint8_t *with, size_t len, uint8_t *checksum) {
    uint32_t sum = (uint16_t) ~(checksum[0] << 8 | checksum[1]);
    for (size_t i = 0; i < len; i += 2) {
        sum += (uint16_t) ~(at[i] << 8 | at[i + 1]);
        sum += (uint32_t)(with[i] << 8 | with[i + 1]);
    }
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    checksum[0] = (uint8_t)(~sum >> 8);
    checksum[1] = (uint8_t)~sum;
    memcpy(at, with, len);
}

/* The address at `at`, and the port `port_at` bytes into the transport's header. */
static void rewrite(uint8_t *data, size_t at, size_t port_at, const struct ip_address *address,
                    uint16_t port, const struct ip_ports *ports) {
    const uint8_t *ip = address->bytes + 12;
    uint8_t *transport = data + (data[0] & 15u) * 4u, none[2] = {0};
    const uint8_t new_port[2] = {(uint8_t)(port >> 8), (uint8_t)port};
    uint8_t old_ip[4];
    memcpy(old_ip, data + at, sizeof old_ip);
    replace(data + at, ip, sizeof old_ip, data + IPV4_CHECKSUM);
    if (!ports->is_first) return;
    uint8_t *checksum = transport + (ports->protocol == IPPROTO_UDP ? 6 : 16);
    if (ports->protocol == IPPROTO_UDP && checksum[0] == 0 && checksum[1] == 0) checksum = none;
    replace(old_ip, ip, sizeof old_ip, checksum); /* it covers the addresses too */
    replace(transport + port_at, new_port, sizeof new_port, checksum);
}

/* Whether a remote address is one that the mapping stands for. */
static bool remote_matches(const struct nat *n, const struct nat_remote *r,
                           const struct ip_address *address, uint16_t port) {
    return memcmp(&r->address, address, sizeof *address) == 0 &&
           (n->kind == NAT_ADDRESS_RESTRICTED || r->port == port);
}

static bool is_fresh(const struct nat *n, uint64_t used_ns, uint64_t now_ns) {
    return used_ns != 0 && now_ns - used_ns <= n->timeout_ns;
}

static struct nat_mapping *mapping_for(struct nat *n, const struct ip_packet *ip,
                                       const struct ip_ports *ports, uint64_t now_ns) {
    struct nat_mapping *oldest = &n->mappings[0];
    for (size_t i = 0; i < NAT_MAPPINGS_MAX; i++) {
        struct nat_mapping *m = &n->mappings[i];
        if (is_fresh(n, m->used_ns, now_ns) && m->protocol == ports->protocol &&
            m->inside == ports->from &&
            (n->kind != NAT_SYMMETRIC || remote_matches(n, &m->remotes[0], &ip->to, ports->to)))
            return m;
        if (m->used_ns < oldest->used_ns) oldest = m;
    }
    /* 7919 has no factor in common with NAT_PORTS: each port has its turn, and none its neighbour's
     * number. */
    uint32_t step = n->opened++ * 7919u % NAT_PORTS;
    *oldest = (struct nat_mapping){.protocol = ports->protocol,
                                   .inside = ports->from,
                                   .outside = (uint16_t)(NAT_PORT_LEAST + step)};
    return oldest;
}

static void remember_remote(struct nat_mapping *m, const struct ip_address *address, uint16_t port,
                            uint64_t now_ns) {
    struct nat_remote *place = &m->remotes[0];
    for (size_t i = 0; i < NAT_REMOTES_MAX; i++) {
        struct nat_remote *r = &m->remotes[i];
        bool is_same = r->port == port && memcmp(&r->address, address, sizeof *address) == 0;
        if (is_same || r->used_ns < place->used_ns) place = r;
        if (is_same) break;
    }
    *place = (struct nat_remote){*address, port, now_ns};
}

static bool is_translated(const struct ip_ports *ports) {
    return ports->protocol == IPPROTO_UDP || ports->protocol == IPPROTO_TCP;
}

bool nat_leave(struct nat *n, uint8_t *data, const struct ip_packet *ip, struct ip_ports *ports,
               uint64_t now_ns) {
    if (!is_translated(ports) || memcmp(&ip->from, &n->inside, sizeof ip->from) != 0) return false;
    struct nat_mapping *m = mapping_for(n, ip, ports, now_ns);
    m->used_ns = now_ns;
    remember_remote(m, &ip->to, ports->to, now_ns);
    ports->from = m->outside;
    rewrite(data, IPV4_FROM, 0, &n->outside, m->outside, ports);
    return true;
}

static bool lets_in(const struct nat *n, const struct nat_mapping *m,
                    const struct ip_address *address, uint16_t port, uint64_t now_ns) {
    if (n->kind == NAT_FULL_CONE) return true;
    for (size_t i = 0; i < NAT_REMOTES_MAX; i++)
        if (is_fresh(n, m->remotes[i].used_ns, now_ns) &&
            remote_matches(n, &m->remotes[i], address, port))
            return true;
    return false;
}

bool nat_enter(struct nat *n, uint8_t *data, size_t len, struct ip_ports *ports, uint64_t now_ns) {
    struct ip_packet ip;
    if (!is_translated(ports) || ip_parse(data, len, &ip) != 0) return false;
    for (size_t i = 0; i < NAT_MAPPINGS_MAX; i++) {
        const struct nat_mapping *m = &n->mappings[i];
        if (!is_fresh(n, m->used_ns, now_ns) || m->protocol != ports->protocol ||
            m->outside != ports->to || !lets_in(n, m, &ip.from, ports->from, now_ns))
            continue;
        ports->to = m->inside;
        rewrite(data, IPV4_TO, 2, &n->inside, m->inside, ports);
        return true;
    }
    return false;
}
