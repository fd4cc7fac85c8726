#include "core/swarm/below.h"

#include "core/swarm/admission.h"
#include "core/swarm/engine.h"

#define CODE_MOST 15

_Static_assert(SUBSTREAMS_MAX * 4 == 64, "four bits of each substream");

/* The middle of what it may stand for. */
static uint64_t count_of(unsigned code) { return code < 2 ? code : 3ull << (code - 2); }

static unsigned code_of(uint64_t count) {
    unsigned code = 0;
    while (code < CODE_MOST && count >> code) code++;
    return code;
}

/* Children, and those below them. */
static void count_children(const struct channel *c, const struct stream *s, uint32_t substreams,
                           uint64_t ret_counts[SUBSTREAMS_MAX]) {
    for (size_t i = 0; i < c->neighbours_len; i++) {
        const struct neighbour *nb = c->neighbours[i];
        uint32_t granted = nb->streams[s->track].child_granted & substreams;
        if (granted == 0 || !admission_is_there(nb)) continue;
        for (; granted; granted &= granted - 1) {
            unsigned index = (unsigned)__builtin_ctz(granted);
            ret_counts[index] += 1 + count_of(below_of(nb, s, index));
        }
    }
}

unsigned below_ours(const struct channel *c, const struct stream *s, unsigned index) {
    uint64_t counts[SUBSTREAMS_MAX] = {0};
    count_children(c, s, 1u << index, counts);
    return code_of(counts[index]);
}

uint64_t below_told(const struct channel *c, const struct stream *s) {
    uint64_t counts[SUBSTREAMS_MAX] = {0}, ret = 0;
    count_children(c, s, stream_all_substreams(s), counts);
    for (unsigned index = 0; index < s->substreams; index++)
        ret |= (uint64_t)code_of(counts[index]) << 4 * index;
    return ret;
}
