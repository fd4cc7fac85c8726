#include "tests/lab/router_ip.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/err.h"

#define IPV4_HEADER 20u
#define IPV6_HEADER 40u
#define ICMP_HEADER 8u
#define IPV4_QUOTED_MAX 548u /* RFC 1812, 4.3.2.3: an answer of at most 576 bytes */
#define TTL 64

static const uint8_t ipv4_mapped[12] = {[10] = 0xff, [11] = 0xff};
static const uint8_t router_ipv4[4] = {198, 19, 255, 254};
static const uint8_t router_ipv6[16] = {0x20, 0x01, 0x0d, 0xb8, 0x00, 0x77, [15] = 0xfe};

int ip_address_parse(const char *text, struct ip_address *ret) {
    memcpy(ret->bytes, ipv4_mapped, sizeof ipv4_mapped);
    if (inet_pton(AF_INET, text, ret->bytes + 12) == 1) return 0;
    return inet_pton(AF_INET6, text, ret->bytes) == 1 ? 0 : ERR_ARGUMENT;
}

static bool is_icmp_error(uint8_t protocol, uint8_t type) {
    if (protocol == IPPROTO_ICMPV6) return type < 128;
    return protocol == IPPROTO_ICMP && (type == 3 || type == 4 || type == 5 || type == 11);
}

static int parse_ports(struct reader r, struct ip_packet *p) {
    if (!p->ports.is_first) return 0;
    uint8_t protocol = p->ports.protocol;
    if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6)
        p->is_icmp_error = is_icmp_error(protocol, read_u8(&r));
    if (protocol != IPPROTO_UDP && protocol != IPPROTO_TCP) return r.err;
    p->ports.from = read_u16(&r);
    p->ports.to = read_u16(&r);
    return r.err;
}

static int parse_ipv4(const uint8_t *data, size_t len, struct ip_packet *p) {
    size_t header = (data[0] & 15u) * 4u;
    if (len < IPV4_HEADER || header < IPV4_HEADER || len < header) return ERR_TRUNCATED;
    if ((data[2] << 8 | data[3]) != (int)len) return ERR_FORMAT;
    unsigned fragment = (unsigned)data[6] << 8 | data[7];
    p->ports.fragments = (uint32_t)data[4] << 8 | data[5];
    p->ports.is_first = (fragment & 0x1fff) == 0;
    p->ports.is_fragment = (fragment & 0x3fff) != 0;
    p->ports.protocol = data[9];
    memcpy(p->from.bytes, ipv4_mapped, sizeof ipv4_mapped);
    memcpy(p->from.bytes + 12, data + 12, 4);
    memcpy(p->to.bytes, ipv4_mapped, sizeof ipv4_mapped);
    memcpy(p->to.bytes + 12, data + 16, 4);
    return parse_ports(reader_init(data + header, len - header), p);
}

/* Of extension headers the fragment header alone is looked through: hosts here send no other. */
static int parse_ipv6(const uint8_t *data, size_t len, struct ip_packet *p) {
    if (len < IPV6_HEADER) return ERR_TRUNCATED;
    if ((size_t)(data[4] << 8 | data[5]) + IPV6_HEADER != len) return ERR_FORMAT;
    p->is_ipv6 = true;
    p->ports.protocol = data[6];
    p->ports.is_first = true;
    memcpy(p->from.bytes, data + 8, 16);
    memcpy(p->to.bytes, data + 24, 16);
    struct reader r = reader_init(data + IPV6_HEADER, len - IPV6_HEADER);
    if (p->ports.protocol == IPPROTO_FRAGMENT) {
        p->ports.protocol = read_u8(&r);
        read_u8(&r);
        p->ports.is_first = (read_u16(&r) & 0xfff8) == 0;
        p->ports.is_fragment = true;
        p->ports.fragments = read_u32(&r);
    }
    return r.err != 0 ? r.err : parse_ports(r, p);
}

int ip_parse(const uint8_t *data, size_t len, struct ip_packet *ret) {
    *ret = (struct ip_packet){0};
    if (len == 0) return ERR_TRUNCATED;
    if (data[0] >> 4 == 4) return parse_ipv4(data, len, ret);
    return data[0] >> 4 == 6 ? parse_ipv6(data, len, ret) : ERR_VERSION;
}

/* RFC 1071. */
static uint32_t sum(uint32_t from, const uint8_t *data, size_t len) {
    for (size_t i = 0; i + 1 < len; i += 2) from += (uint32_t)data[i] << 8 | data[i + 1];
    return len % 2 ? from + ((uint32_t)data[len - 1] << 8) : from;
}

static void store_checksum(uint8_t *at, uint32_t sum) {
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    at[0] = (uint8_t)(~sum >> 8);
    at[1] = (uint8_t)~sum;
}

static size_t too_big_ipv4(const uint8_t *data, size_t len, unsigned mtu, uint8_t *ret) {
    size_t quoted = size_min(len, IPV4_QUOTED_MAX), total = IPV4_HEADER + ICMP_HEADER + quoted;
    struct writer w = writer_init(ret, IP_ANSWER_MAX);
    write_u16(&w, 0x4500);
    write_u16(&w, (uint16_t)total);
    write_u32(&w, 0);
    write_u32(&w, TTL << 24 | IPPROTO_ICMP << 16);
    write_bytes(&w, router_ipv4, sizeof router_ipv4);
    write_bytes(&w, data + 12, 4);
    write_u32(&w, 3 << 24 | 4 << 16);
    write_u32(&w, mtu);
    write_bytes(&w, data, quoted);
    store_checksum(ret + 10, sum(0, ret, IPV4_HEADER));
    store_checksum(ret + IPV4_HEADER + 2, sum(0, ret + IPV4_HEADER, total - IPV4_HEADER));
    return total;
}

static size_t too_big_ipv6(const uint8_t *data, size_t len, unsigned mtu, uint8_t *ret) {
    size_t quoted = size_min(len, IP_ANSWER_MAX - IPV6_HEADER - ICMP_HEADER);
    size_t payload = ICMP_HEADER + quoted;
    struct writer w = writer_init(ret, IP_ANSWER_MAX);
    write_u32(&w, 6u << 28);
    write_u32(&w, (uint32_t)payload << 16 | IPPROTO_ICMPV6 << 8 | TTL);
    write_bytes(&w, router_ipv6, sizeof router_ipv6);
    write_bytes(&w, data + 8, 16);
    write_u32(&w, 2u << 24);
    write_u32(&w, mtu);
    write_bytes(&w, data, quoted);
    /* The pseudo-header (RFC 8200, 8.1): addresses, length, next header. */
    uint32_t start = sum((uint32_t)payload + IPPROTO_ICMPV6, ret + 8, 32);
    store_checksum(ret + IPV6_HEADER + 2, sum(start, ret + IPV6_HEADER, payload));
    return IPV6_HEADER + payload;
}

size_t ip_too_big(const uint8_t *data, size_t len, const struct ip_packet *packet, unsigned mtu,
                  uint8_t *ret) {
    if (packet->is_icmp_error) return 0;
    return packet->is_ipv6 ? too_big_ipv6(data, len, mtu, ret) : too_big_ipv4(data, len, mtu, ret);
}
