/* fragment.h - one CMAF fragment (moof and mdat) of one track: what media makes and plays.
 *
 * Video: frames until 4 KB or 100 ms, at least one. Audio: about 100 ms. The swarm cuts it into
 * chunks of at most 64 cells. Reference counted, because a recorder, a page and the swarm hold the
 * same bytes; counts are atomic, because the encoder and the recorder have threads of their own. */
#ifndef FRAGMENT_H
#define FRAGMENT_H

#include <stdatomic.h>
#include <stdbool.h>

#include "core/base/base.h"

#define FRAGMENT_SIZE_MAX (4u << 20) /* a keyframe at 100 Mb/s; larger is refused */

struct fragment {
    atomic_uint references;
    uint8_t track;      /* its index in the manifest */
    bool random_access; /* decoding can start here */
    bool discontinuity; /* fragments of the track before this one were skipped */
    bool end;           /* the track ends: no payload */
    uint64_t pts_us;    /* of the first frame, from the broadcast's start */
    uint32_t duration_us;
    uint64_t capture_us; /* UTC of the capture of the first frame */
    size_t len;
    uint8_t data[];
};

/* With one reference and `len` zero bytes of payload. NULL when out of memory. */
struct fragment *fragment_new(size_t len);
struct fragment *fragment_ref(struct fragment *f);
void fragment_unref(struct fragment *f);

#endif
