/* router_load.h - whether the router kept its schedule, and what else the machine did.
 *
 * A result from a router that ran behind, or from a machine that had no time for the hosts, is not
 * the network's: it is marked, never silently worse. Counted from the last load_mark on. */
#ifndef ROUTER_LOAD_H
#define ROUTER_LOAD_H

#include <stdio.h>

#include "core/base/base.h"

#define LOAD_LATE_NS 5000000ull /* an event handled later than this is late */
#define LOAD_LATE_SHARE 0.001   /* of events: more is overload */
#define LOAD_BUSY_SHARE 0.7     /* of the machine's processors, over the window */
#define LOAD_SAMPLE_NS 1000000000ull

struct load {
    uint64_t marked_ns, own_cpu_ns;
    uint64_t events, late, worst_ns;
    uint64_t sample_ns; /* the last one */
    double idle_s;
    double busy_sum, busy_most; /* of samples, the sum by their length in seconds */
    double sampled_s;
};

void load_mark(struct load *l, uint64_t now_ns);
/* An event that was due at `at_ns` is handled. */
static inline void load_event(struct load *l, uint64_t at_ns, uint64_t now_ns) {
    uint64_t late_ns = u64_sub(now_ns, at_ns);
    l->events++;
    l->late += late_ns > LOAD_LATE_NS;
    l->worst_ns = u64_max(l->worst_ns, late_ns);
}
/* To be called at load_deadline. */
void load_sample(struct load *l, uint64_t now_ns);
uint64_t load_deadline(const struct load *l);
/* `"load":{…},"overload":[…]`: the second holds a sentence for each thing that was too much, and is
 * empty where the result counts. `refused` and `unread` are packets that the router had no room for
 * and those that devices dropped before it read them. */
void load_print(const struct load *l, uint64_t refused, uint64_t unread, uint64_t now_ns,
                FILE *out);

#endif
