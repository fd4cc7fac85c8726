/* world_census.c - the state of all nodes, once a second: what the swarm is short of. */
#include <string.h>

#include "core/swarm/admission.h"
#include "core/swarm/engine.h"
#include "tests/sim/world_internal.h"

/* What all nodes have. */
struct census_sums {
    unsigned up, lacking, is_short;
    size_t neighbours;
    double supplies, asked, granted; /* substreams: all, with a parent, and one that sends */
    double depth;                    /* hops from the source, over what is granted */
    double waits_us, waiting;        /* of fresh cells in the queues of those that serve */
    unsigned deepest;
    double uplink_bps, believed_bps, granted_bps, sent_bps;
};

void world_census(struct world *w, FILE *to) {
    w->census_to = to;
    fputs("# second up; of the viewers' substreams, percent: asked for, granted; of them viewers "
          "that lack some; of\n# the uplinks, percent: believed, granted, sent; nodes that are "
          "short; neighbours; per viewer and second:\n# asked, refused, moved, ended, late, "
          "silent, may leave, repairs, missed; hops from the source: mean, most; ms that cells "
          "wait\n",
          to);
}

void census_decision(void *context, const struct trace_event *e) {
    struct resident *p = context;
    p->world->census[e->decision]++;
}

/* Of a viewer's substreams of all tracks. */
static void count_supplies(const struct channel *c, struct census_sums *sums) {
    unsigned lacking = 0;
    for (size_t t = 0; t < c->streams_len; t++)
        for (unsigned i = 0; i < c->streams[t].substreams; i++) {
            const struct supply *supply = &c->streams[t].supplies[i];
            bool is_granted = supply->parent != NULL && supply->is_granted;
            sums->supplies++;
            sums->asked += supply->parent != NULL;
            sums->granted += is_granted;
            lacking += !is_granted;
            if (!is_granted) continue;
            sums->depth += supply->ancestors_len;
            if (supply->ancestors_len > sums->deepest) sums->deepest = supply->ancestors_len;
        }
    sums->lacking += lacking > 0 || c->streams_len == 0;
}

static void count_peer(const struct resident *p, struct census_sums *sums) {
    const struct node *n = p->node;
    const struct channel *c = n->channels[p->channel];
    sums->up++;
    sums->neighbours += c->neighbours_len;
    sums->uplink_bps += (double)p->uplink_bps;
    sums->believed_bps += (double)u64_min(uplink_capacity_bps(n), 1000000000);
    sums->granted_bps += (double)admission_carried_bps(n);
    sums->sent_bps += (double)n->uplink.sent_bps;
    sums->is_short += n->uplink.short_us != 0;
    if (!c->is_source) count_supplies(c, sums);
    for (size_t i = 0; i < c->neighbours_len; i++) {
        const struct send_item *item = send_queue_peek(&c->neighbours[i]->queue, SEND_FRESH);
        if (c->neighbours[i]->streams_len == 0 || c->neighbours[i]->streams[0].child_granted == 0)
            continue;
        sums->waiting++;
        if (item) sums->waits_us += (double)send_item_waited_us(item, n->now_us);
    }
}

void census_second(struct world *w) {
    if (w->census_to == NULL) return;
    struct census_sums sums = {0};
    for (unsigned i = 0; i < w->places; i++)
        if (w->residents[i].is_up) count_peer(&w->residents[i], &sums);
    double viewers = sums.up > 1 ? sums.up - 1 : 1,
           supplies = sums.supplies > 0 ? sums.supplies : 1;
    double uplinks = sums.uplink_bps / 100;
    const uint64_t *did = w->census;
    fprintf(w->census_to,
            "%4llu %4u; %5.1f %5.1f %5.1f; %5.1f %5.1f %5.1f; %4u %5.1f; %6.2f %6.2f %6.2f %6.2f "
            "%6.2f %6.2f %6.2f %6.2f %6.2f; %4.1f %2u %4.0f\n",
            (unsigned long long)(world_now(w) / US_PER_S), sums.up, 100 * sums.asked / supplies,
            100 * sums.granted / supplies, 100 * sums.lacking / viewers,
            sums.believed_bps / uplinks, sums.granted_bps / uplinks, sums.sent_bps / uplinks,
            sums.is_short, (double)sums.neighbours / (sums.up ? sums.up : 1),
            (double)did[TRACE_ASKED] / viewers, (double)did[TRACE_REFUSED] / viewers,
            (double)did[TRACE_MOVED] / viewers, (double)did[TRACE_ENDED] / viewers,
            (double)did[TRACE_LATE] / viewers, (double)did[TRACE_SILENT] / viewers,
            (double)did[TRACE_CHILD_MAY_LEAVE] / viewers, (double)did[TRACE_REPAIR_ASKED] / viewers,
            (double)did[TRACE_MISSED] / viewers, sums.depth / (sums.granted > 0 ? sums.granted : 1),
            sums.deepest, sums.waits_us / 1000 / (sums.waiting > 0 ? sums.waiting : 1));
    memset(w->census, 0, sizeof w->census);
}
