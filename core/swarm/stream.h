/* stream.h - one track of the current broadcast, as this node receives, keeps and plays it.
 *
 * A stream is cut into substreams: cell i of chunk n belongs to substream (5 n + i) mod S, so that
 * each parent carries an even share of every chunk. For each substream there is at most one parent,
 * and while it is moved, a next one. */
#ifndef STREAM_H
#define STREAM_H

#include <stdbool.h>

#include "core/proto/limits.h"
#include "core/proto/manifest.h"
#include "core/swarm/neighbour_set.h"
#include "core/swarm/window.h"

struct neighbour;

/* Who sends us one substream, or (index SUPPLY_HEADS) the track's heads. */
struct supply {
    /* A line of the cache: what every tick asks. */
    _Alignas(64) struct neighbour *parent;
    struct neighbour *next; /* asked to take over; NULL: nobody */
    bool is_granted;        /* the parent said that it sends */
    bool has_delay, has_arrival;
    uint8_t refusals; /* in a row */
    uint8_t ancestors_len;
    uint64_t asked_us;   /* when the parent was asked */
    uint64_t arrived_us; /* newest arrival from the parent */
    uint64_t loop_us;    /* since when we stand above ourselves; 0: we do not */
    uint32_t owes_from;  /* the first chunk that the parent was asked for */
    uint32_t next_owes_from;
    uint32_t delay_us; /* of its cells behind their heads, smoothed; and how much that varies */
    uint32_t delay_var_us;

    int64_t arrival_us; /* on our clock, after the capture on the source's: smoothed, */
    int64_t least_us, least_before_us; /* the least of this window, and of the one before */
    uint64_t least_since_us;
    uint64_t retry_us; /* when another may be asked, where nobody would */
    uint64_t next_asked_us;
    uint32_t ancestors[ANCESTORS_MAX]; /* the parent, and whoever is above it */
};

/* Odd, so that chunks of one cell visit every substream, and such that the chunks of which a
 * substream has a cell are spread evenly, whatever their size. */
#define SUBSTREAM_STEP 5u
#define SUPPLY_HEADS SUBSTREAM_HEADS
#define SUPPLIES (SUBSTREAMS_MAX + 1)

struct stream {
    uint8_t track;
    uint8_t kind;       /* enum track_kind */
    uint8_t substreams; /* S */
    uint32_t substream_bps;
    struct window window;
    struct supply supplies[SUPPLIES];
    struct neighbour_set children[SUPPLIES]; /* to whom each substream, or the heads, is granted */
    uint64_t came_us[SUPPLIES];              /* when a cell or head of each last came by itself */
    uint32_t supplied_ms[SUBSTREAMS_MAX];    /* when each last had a parent that grants it, */
    uint32_t preempted_ms[SUBSTREAMS_MAX];   /* and a child of ours last lost its place in it */
    uint64_t fed_us;                         /* when all but a few substreams last had a parent */
    uint32_t overdue; /* substreams that lack cells for longer than they usually take */
    uint16_t roots[SUBSTREAMS_MAX]; /* (source) low id4 of the child that most have it through */
    uint32_t told_dry;          /* of what neighbours were told at once that we have no supply */
    uint16_t hunger[SUPPLIES];  /* children that found nobody else, refused lately; decays */
    uint64_t rested_us;         /* the rest (rest.h) that these are about: */
    uint32_t lacked_until;      /* chunks below were published meanwhile; */
    uint32_t left_out_until;    /* of the last long one */
    uint64_t newest_us;         /* when the newest head came, */
    uint64_t newest_capture_us; /* of what it is, */
    uint32_t newest_number;
    uint32_t period_us;     /* and the time from one capture to the next, smoothed */
    uint64_t late_since_us; /* parents that were given up for lateness since then */
    unsigned late_moves;
    /* Our clock at an arrival less the source's at the capture, for what comes without any lag: of
     * sound that is the time of a fragment's samples more than of a picture. */
    bool has_source_offset;
    int64_t source_offset_us;
    bool is_adopted; /* what was asked before the manifest came has found its supplies */

    bool was_fed; /* once all of it came */
    bool has_start;
    uint64_t start_us; /* when the first head came */
    uint32_t start; /* number of the chunk from which we receive: a random access point, or, where
                     * the parent had no room for its backlog, the first that came */
    uint32_t hole;  /* everything from `start` to below it has been complete */
    bool has_verified_start;
    uint32_t verified_start; /* the first random access chunk that was complete */
    uint64_t verified_start_us;
    uint64_t verified_start_utc_us;
    bool has_end;
    uint32_t end; /* number of the chunk that ends the track */

    uint32_t play_next; /* number of the next chunk to hand out */
    bool has_play;
    bool has_played; /* before that, a jump leaves nothing out that was begun */
    bool play_discontinuity;
    uint64_t play_pts_us; /* end of what was handed out */
    bool end_played;

    uint32_t count_next; /* number of the next chunk to count as ok or missed */
};

/* Substreams of a track of this rate and kind. */
uint8_t substreams_for(uint8_t kind, uint32_t bitrate_bps);

void stream_init(struct stream *s, uint8_t track, const struct track *description);
void stream_release(struct stream *s);
static inline uint8_t stream_substream(const struct stream *s, uint32_t number, uint32_t index) {
    return (uint8_t)((SUBSTREAM_STEP * number + index) & (s->substreams - 1u)); /* a power of two */
}
/* The head of a chunk that is newer than all was verified. */
void stream_note_newest(struct stream *s, const struct head *h, uint64_t now_us);
/* Bit s for each substream. */
uint32_t stream_all_substreams(const struct stream *s);
/* Cells of a chunk of `cells` cells that belong to these substreams. */
uint64_t stream_cells_of(const struct stream *s, uint32_t number, uint32_t cells,
                         uint32_t substreams);
/* How late a chunk is, where what was captured before we came counts from when we came. */
uint64_t stream_lateness_us(const struct stream *s, uint64_t lateness_us, uint64_t now_us);
/* The first number from `start` on that has not been complete; what has left the window is none. */
uint32_t stream_first_hole(const struct stream *s);
/* A chunk is complete: that may have closed the first hole. */
void stream_close_hole(struct stream *s);
/* To whom any of these (bits of substreams, and of SUPPLY_HEADS) is granted. */
struct neighbour_set stream_children(const struct stream *s, uint32_t indices);
/* No neighbour's name is left behind. */
void stream_forget_neighbour(struct stream *s, const struct neighbour *n);

#endif
