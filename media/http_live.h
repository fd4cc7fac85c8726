/* http_live.h - /live.mp4: the broadcast as one endless file, to any number of viewers up to a
 * maximum.
 *
 * A viewer gets the initialisation segment, what there is since the newest random access point, and
 * then each fragment as it comes. Nobody is waited for: a viewer whose buffer is full gets nothing
 * more until it has drained and the next random access point comes, so memory does not grow with
 * lateness. Fragments are shared by all viewers and never copied. Another broadcast ends the
 * answers that run: a player asks again and starts anew. */
#ifndef HTTP_LIVE_H
#define HTTP_LIVE_H

#include "core/proto/fragment.h"
#include "core/proto/manifest.h"

#define LIVE_CLIENTS_MAX 16
#define LIVE_BUFFER_US (3 * US_PER_S) /* of media in a viewer's buffer, by the tracks' rates */
#define LIVE_BUFFER_MIN (1u << 20)    /* whatever the tracks say: bytes */
#define LIVE_BUFFER_MAX (16u << 20)
#define LIVE_RECENT_US                                                                             \
    (12 * US_PER_S) /* the longest group of pictures that is kept to start with */
#define LIVE_RECENT_PIECES 4096
#define LIVE_STUCK_S 30 /* a viewer that takes nothing that long is let go */

struct evhttp_request;
struct http_live;

struct http_live_stats {
    unsigned viewers;
    uint64_t skips;      /* times that a viewer was too slow */
    uint64_t refused;    /* fragments that were broken or of no known track */
    size_t recent_bytes; /* kept for newcomers */
};

struct http_live *http_live_new(void);
/* After the evhttp that its requests belong to. */
void http_live_free(struct http_live *l);
/* Ends the answers that run. Returns 0 or an error of cmaf_join_init; then there are no tracks. */
MUST_CHECK int http_live_set_tracks(struct http_live *l, const struct track *tracks, size_t n);
/* Takes references. */
void http_live_push(struct http_live *l, struct fragment *f);
/* Answers a GET. Headers that are common to all answers stand in the request already. */
void http_live_serve(struct http_live *l, struct evhttp_request *req);
/* True where a GET would be answered with media. */
bool http_live_is_ready(const struct http_live *l);
void http_live_stats(const struct http_live *l, struct http_live_stats *ret);

#endif
