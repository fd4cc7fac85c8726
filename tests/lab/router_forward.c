#include <string.h>
#include <unistd.h>

#include "tests/lab/router.h"

/* The ports of a fragment that has none are those of the one before it of the same packet. */
static void give_ports(struct router_host *h, struct ip_ports *ports) {
    if (!ports->is_fragment) return;
    if (ports->is_first) {
        h->fragment = (struct router_fragment){ports->fragments, *ports};
    } else if (h->fragment.number == ports->fragments &&
               h->fragment.ports.protocol == ports->protocol) {
        ports->from = h->fragment.ports.from;
        ports->to = h->fragment.ports.to;
    }
}

static bool is_reachable(const struct router *r, unsigned from, unsigned to) {
    const struct router_host *a = &r->hosts[from], *b = &r->hosts[to];
    return r->paths[from][to].reach != 0 && a->cut == 0 && b->cut == 0 && a->group == b->group;
}

static double least_mtu(const struct router *r, unsigned from, unsigned to) {
    double least = r->hosts[from].mtu, path = r->paths[from][to].mtu;
    if (r->hosts[to].mtu < least) least = r->hosts[to].mtu;
    return path > 0 && path < least ? path : least;
}

/* `frame` has room for its header in front of the packet of `len` bytes. */
static void write_to(struct router_host *h, const struct ip_ports *ports, uint8_t *frame,
                     size_t len) {
    static const uint8_t from_ipv4[] = {2, 0, 0, 0, 0, 1, 0x08, 0x00};
    static const uint8_t from_ipv6[] = {2, 0, 0, 0, 0, 1, 0x86, 0xdd};
    bool is_ipv6 = frame[FRAME_HEADER] >> 4 == 6;
    memcpy(frame, h->mac, MAC_BYTES);
    memcpy(frame + MAC_BYTES, is_ipv6 ? from_ipv6 : from_ipv4, sizeof from_ipv4);
    if (write(h->device, frame, FRAME_HEADER + len) == (ssize_t)(FRAME_HEADER + len))
        count_got(&h->counts, ports, len);
    else
        count_add(&h->counts, COUNT_refused, len);
}

static void answer_too_big(struct router_host *h, const struct packet *p,
                           const struct ip_packet *ip, double mtu) {
    uint8_t frame[FRAME_HEADER + IP_ANSWER_MAX], *answer = frame + FRAME_HEADER;
    count_add(&h->counts, COUNT_too_big, p->len);
    size_t len = ip_too_big(p->frame + FRAME_HEADER, p->len, ip, (unsigned)mtu, answer);
    struct ip_packet parsed;
    if (len > 0 && ip_parse(answer, len, &parsed) == 0) write_to(h, &parsed.ports, frame, len);
}

/* Whether the packet is on its way now. */
static bool send_off(struct router *r, struct packet *p, const struct ip_packet *ip,
                     uint64_t now_ns) {
    struct router_host *from = &r->hosts[p->from];
    int to = router_find_address(r, &ip->to);
    if (to < 0 || !is_reachable(r, p->from, (unsigned)to)) {
        count_add(&from->counts, COUNT_unreachable, p->len);
        return false;
    }
    p->to = (uint8_t)to;
    double mtu = least_mtu(r, p->from, p->to);
    if (p->len > mtu) {
        answer_too_big(from, p, ip, mtu);
        return false;
    }
    if (from->nat.kind != NAT_NONE &&
        !nat_leave(&from->nat, p->frame + FRAME_HEADER, ip, &p->ports, now_ns)) {
        count_add(&from->counts, COUNT_filtered, p->len);
        return false;
    }
    uint64_t out_ns;
    if (!shape_link_send(&from->up, p->len, now_ns, &out_ns)) {
        count_add(&from->counts, COUNT_up_full, p->len);
        return false;
    }
    struct shape_path *path = &r->paths[p->from][p->to];
    if (shape_path_loses(path, &r->rng)) {
        count_add(&from->counts, COUNT_lost, p->len);
        return false;
    }
    double extra_ms = from->delay_ms + r->hosts[p->to].delay_ms;
    p->stage = PACKET_ARRIVES;
    packet_queue_add(r->queue, p, shape_path_arrival(path, out_ns, extra_ms, &r->rng));
    return true;
}

static void take(struct router *r, struct packet *p, uint64_t now_ns) {
    struct router_host *h = &r->hosts[p->from];
    struct ip_packet ip;
    if (p->len > ROUTER_MTU || ip_parse(p->frame + FRAME_HEADER, p->len, &ip) != 0) {
        count_add(&h->counts, COUNT_malformed, p->len);
        packet_drop(r->queue, p);
        return;
    }
    give_ports(h, &ip.ports);
    p->ports = ip.ports;
    count_sent(&h->counts, &p->ports, p->len);
    if (!send_off(r, p, &ip, now_ns)) packet_drop(r->queue, p);
}

/* Nowhere to put it: what waits in the device is thrown away, so that the loop goes on. */
static size_t throw_away(struct router *r, struct router_host *h) {
    uint8_t frame[PACKET_BYTES_MAX];
    ssize_t len = read(h->device, frame, sizeof frame);
    if (len < (ssize_t)FRAME_HEADER) return 0;
    r->refused++;
    count_add(&h->counts, COUNT_refused, (size_t)len - FRAME_HEADER);
    return 1;
}

size_t router_read(struct router *r, unsigned host, uint64_t now_ns) {
    struct router_host *h = &r->hosts[host];
    size_t n = 0;
    while (n < ROUTER_BATCH_MAX) {
        struct packet *p = packet_take(r->queue);
        if (p == NULL) return n + throw_away(r, h);
        ssize_t len = read(h->device, p->frame, sizeof p->frame);
        if (len < (ssize_t)FRAME_HEADER) {
            packet_drop(r->queue, p);
            return n;
        }
        p->len = (uint16_t)((size_t)len - FRAME_HEADER);
        p->from = (uint8_t)host;
        take(r, p, now_ns);
        n++;
    }
    return n;
}

static void deliver(struct router *r, struct packet *p, uint64_t at_ns) {
    struct router_host *to = &r->hosts[p->to];
    if (to->nat.kind == NAT_NONE ||
        nat_enter(&to->nat, p->frame + FRAME_HEADER, p->len, &p->ports, at_ns))
        write_to(to, &p->ports, p->frame, p->len);
    else
        count_add(&to->counts, COUNT_filtered, p->len);
    packet_drop(r->queue, p);
}

/* Cut off since it left: it is lost on its way. */
static void arrive(struct router *r, struct packet *p, uint64_t at_ns) {
    struct router_host *to = &r->hosts[p->to];
    uint64_t out_ns;
    if (!is_reachable(r, p->from, p->to)) {
        count_add(&r->hosts[p->from].counts, COUNT_unreachable, p->len);
        packet_drop(r->queue, p);
    } else if (!shape_link_send(&to->down, p->len, at_ns, &out_ns)) {
        count_add(&to->counts, COUNT_down_full, p->len);
        packet_drop(r->queue, p);
    } else if (to->down.rate_bps <= 0) {
        deliver(r, p, at_ns);
    } else {
        p->stage = PACKET_DELIVERED;
        packet_queue_add(r->queue, p, out_ns);
    }
}

void router_run(struct router *r, uint64_t now_ns) {
    uint64_t at_ns;
    struct packet *p;
    while ((p = packet_queue_next(r->queue, now_ns, &at_ns)) != NULL) {
        load_event(&r->load, at_ns, now_ns);
        if (p->stage == PACKET_ARRIVES)
            arrive(r, p, at_ns);
        else
            deliver(r, p, at_ns);
    }
}
