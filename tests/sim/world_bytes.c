/* world_bytes.c - who has sent how much, and what of it was not media. */
#include "core/proto/cell.h"
#include "tests/sim/world_internal.h"

#define DATAGRAM_OVERHEAD 28 /* IP and UDP headers */
#define CELL_OVERHEAD (DATAGRAM_OVERHEAD + LINK_OVERHEAD + CELL_HEADER_BYTES)

static void add(struct node_totals *to, const struct node_totals *t) {
    to->bytes += t->bytes;
    to->datagrams += t->datagrams;
    to->media += t->media;
    to->cells += t->cells;
    to->first += t->first;
    to->duplicate += t->duplicate;
}

static struct node_totals since(const struct node_totals *now, const struct node_totals *before) {
    return (struct node_totals){
        .bytes = now->bytes - before->bytes,
        .datagrams = now->datagrams - before->datagrams,
        .media = now->media - before->media,
        .cells = now->cells - before->cells,
        .first = now->first - before->first,
        .duplicate = now->duplicate - before->duplicate,
    };
}

struct node_totals bytes_of(const struct resident *p) {
    struct node_totals ret = {0};
    if (p->node == NULL) return ret;
    struct node_stats node;
    struct node_channel_stats channel;
    node_stats(p->node, &node);
    node_channel_stats(p->node, p->channel, &channel);
    ret.datagrams = node.links.datagrams_out;
    ret.bytes = node.links.bytes_out + DATAGRAM_OVERHEAD * node.links.datagrams_out;
    ret.media = node.media_out;
    ret.cells = node.cells_out;
    ret.first = channel.media_in;
    ret.duplicate = channel.duplicate_in;
    return ret;
}

static struct node_totals all(const struct world *w, struct node_totals *ret_source) {
    struct node_totals ret = w->ended;
    *ret_source = w->source_ended;
    for (unsigned i = 0; i < w->places; i++) {
        if (!w->residents[i].is_up) continue;
        struct node_totals t = bytes_of(&w->residents[i]);
        add(&ret, &t);
        if (i == 0) add(ret_source, &t);
    }
    return ret;
}

void bytes_begin(struct world *w) {
    w->at_window = all(w, &w->source_at_window);
    w->media_at_window = w->media_bytes;
}

void bytes_end(struct resident *p) {
    struct node_totals t = bytes_of(p);
    add(&p->world->ended, &t);
    if (p->number == 0) add(&p->world->source_ended, &t);
}

/* What of the bytes was what for. Media that was sent and is neither a first copy nor a duplicate
 * was lost, and sent again. */
struct split {
    double headers, control, duplicate, repair;
};

static struct split split(const struct node_totals *t) {
    struct split ret;
    ret.headers = (double)(t->cells * CELL_OVERHEAD);
    ret.control = (double)t->bytes - (double)t->media - ret.headers;
    ret.duplicate = (double)t->duplicate;
    ret.repair = (double)t->media - (double)t->first - (double)t->duplicate;
    if (ret.repair < 0) ret.repair = 0; /* what is on its way */
    return ret;
}

void bytes_second(struct world *w, struct report_second *ret) {
    struct node_totals source, now = all(w, &source);
    struct node_totals t = since(&now, &w->at_second);
    struct split parts = split(&t);
    *ret = (struct report_second){
        .media = t.first,
        .headers = (uint64_t)parts.headers,
        .control = (uint64_t)parts.control,
        .duplicate = (uint64_t)parts.duplicate,
        .repair = (uint64_t)parts.repair,
        .source_bytes = source.bytes - w->source_at_second.bytes,
    };
    for (unsigned i = 0; i < w->places; i++) ret->peers += w->residents[i].is_up;
    w->at_second = now;
    w->source_at_second = source;
}

void bytes_report(struct world *w) {
    struct node_totals source, now = all(w, &source);
    struct node_totals t = since(&now, &w->at_window);
    struct report *r = &w->report;
    struct split parts = split(&t);
    double first = (double)t.first;
    if (first > 0) {
        r->overhead_total = (double)t.bytes / first - 1;
        r->overhead_headers = parts.headers / first;
        r->overhead_control = parts.control / first;
        r->overhead_duplicate = parts.duplicate / first;
        r->overhead_repair = parts.repair / first;
    }
    double media = (double)(w->media_bytes - w->media_at_window);
    if (media > 0) r->source_upload_x = (double)(source.bytes - w->source_at_window.bytes) / media;
}
