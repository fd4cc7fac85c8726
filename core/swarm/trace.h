/* trace.h - what a node decides about whom it takes from and whom it serves, and what it does not
 * get. The engine has no log: who wants to read along gives a sink in node_config, which must not
 * call the node. Nothing that the node does depends on it. */
#ifndef SWARM_TRACE_H
#define SWARM_TRACE_H

#include <limits.h>

#include "core/base/base.h"
#include "core/crypto/sign.h"

/* Name, and how it reads before the peer that it is about. */
#define TRACE_DECISIONS(X)                                                                         \
    X(DIALLED, "dials")                                                                            \
    X(MET, "meets")                                                                                \
    X(ASKED_ALL, "asks, before it has a manifest, for all:")                                       \
    X(ASKED, "asks")                                                                               \
    X(ASKED_NEXT, "asks to take over:")                                                            \
    X(GRANTED, "is granted by")                                                                    \
    X(REFUSED, "is refused by")                                                                    \
    X(ENDED, "is no longer served by")                                                             \
    X(MOVED, "moves to")                                                                           \
    X(LATE, "gives up, as late:")                                                                  \
    X(SILENT, "gives up, as silent:")                                                              \
    X(UNANSWERED, "gives up, as it does not answer:")                                              \
    X(LOOP, "gives up, as above itself:")                                                          \
    X(LOST, "has lost the link with its parent")                                                   \
    X(CHILD_GRANTED, "grants")                                                                     \
    X(CHILD_REFUSED, "refuses")                                                                    \
    X(CHILD_MAY_LEAVE, "asks to look for another parent:")                                         \
    X(CHILD_ENDED, "serves no longer")                                                             \
    X(REPAIR_ASKED, "asks for a repair by")                                                        \
    X(STARTED, "can be played from")                                                               \
    X(MISSED, "has missed")

enum trace_decision {
#define X(name, words) TRACE_##name,
    TRACE_DECISIONS(X)
#undef X
        TRACE_KINDS
};

#define TRACE_INDEX_NONE UINT_MAX
#define TRACE_NO_TRACK UINT8_MAX

struct trace_event {
    enum trace_decision decision;
    uint64_t now_us;
    const struct public_key *peer; /* NULL: about nobody, or somebody whose key is not known yet */
    uint8_t track;                 /* TRACE_NO_TRACK: about the peer as such */
    unsigned index;                /* substream; SUBSTREAM_HEADS: the heads; TRACE_INDEX_NONE */
    uint32_t number;               /* REPAIR_ASKED, STARTED, MISSED: the chunk, */
    unsigned cells;                /* and of REPAIR_ASKED the cells of it */
};

typedef void trace_sink(void *context, const struct trace_event *e);

#define TRACE_TEXT_MAX 160

/* The event as a line without its time and newline, `peer` being the words for e->peer ("" for
 * nobody). */
void trace_format(const struct trace_event *e, const char *peer, char ret[TRACE_TEXT_MAX]);

#endif
