#include "tests/lab/router_count.h"

#include <netinet/in.h>

static void add(struct count *c, size_t len) {
    c->packets++;
    c->bytes += len;
}

void count_add(struct count_host *c, enum count_kind kind, size_t len) { add(&c->all[kind], len); }

/* Open addressing, never more than three quarters full. */
static struct count_port *port_of(struct count_host *c, uint8_t protocol, uint16_t port) {
    size_t at = (port * 40503u + protocol) % COUNT_PORTS_MAX;
    while (c->ports[at].protocol != 0) {
        struct count_port *p = &c->ports[at];
        if (p->protocol == protocol && p->port == port) return p;
        at = (at + 1) % COUNT_PORTS_MAX;
    }
    if (c->ports_len == COUNT_PORTS_FULL || protocol == 0) return &c->others;
    c->ports_len++;
    c->ports[at].protocol = protocol;
    c->ports[at].port = port;
    return &c->ports[at];
}

void count_sent(struct count_host *c, const struct ip_ports *ports, size_t len) {
    count_add(c, COUNT_sent, len);
    add(&port_of(c, ports->protocol, ports->from)->sent, len);
}

void count_got(struct count_host *c, const struct ip_ports *ports, size_t len) {
    count_add(c, COUNT_got, len);
    add(&port_of(c, ports->protocol, ports->to)->got, len);
}

static const char *protocol_name(uint8_t protocol) {
    switch (protocol) {
    case IPPROTO_UDP: return "udp";
    case IPPROTO_TCP: return "tcp";
    case IPPROTO_ICMP: return "icmp";
    case IPPROTO_ICMPV6: return "icmp6";
    default: return "other";
    }
}

static void print_count(const char *name, const struct count *c, FILE *out) {
    fprintf(out, "\"%s\":{\"packets\":%llu,\"bytes\":%llu}", name, (unsigned long long)c->packets,
            (unsigned long long)c->bytes);
}

static void print_port(const struct count_port *p, bool is_first, FILE *out) {
    fprintf(out, "%s{\"protocol\":\"%s\",\"port\":%u,", is_first ? "" : ",",
            protocol_name(p->protocol), p->port);
    print_count("sent", &p->sent, out);
    fputc(',', out);
    print_count("got", &p->got, out);
    fputc('}', out);
}

void count_print(const struct count_host *c, FILE *out) {
    static const char *const names[] = {
#define X(name) #name,
        COUNT_LIST(X)
#undef X
    };
    for (size_t i = 0; i < COUNT_KINDS; i++) {
        print_count(names[i], &c->all[i], out);
        fputc(',', out);
    }
    fputs("\"ports\":[", out);
    bool is_first = true;
    for (size_t i = 0; i < COUNT_PORTS_MAX; i++) {
        if (c->ports[i].protocol == 0) continue;
        print_port(&c->ports[i], is_first, out);
        is_first = false;
    }
    if (c->others.sent.packets + c->others.got.packets > 0) print_port(&c->others, is_first, out);
    fputc(']', out);
}
