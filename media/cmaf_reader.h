/* cmaf_reader.h - reads what a player needs out of CMAF (ISO/IEC 23000-19): the codec's
 * configuration from an initialisation segment, and the samples of a fragment.
 *
 * libavformat's demuxer is not used, because it keeps an index that grows with the broadcast and
 * wants a thread that blocks in a read. What is read here is one track of H.264 ("avc1") or AAC
 * ("mp4a"), and fragments of one moof and one mdat. The signer of a stream may be hostile: each
 * size, count, offset and time is checked, and nothing is allocated. Edit lists are not applied:
 * decode times count from the broadcast's start for every track. */
#ifndef CMAF_READER_H
#define CMAF_READER_H

#include <stdbool.h>

#include "core/base/base.h"

#define CMAF_SAMPLES_MAX 256 /* of a fragment: a second at 240 frames a second */
#define CMAF_CONFIG_MAX 1024 /* an avcC holds 40 to 100 bytes, an AudioSpecificConfig 2 to 7 */
#define CMAF_TIME_MAX_S (1u << 31)  /* 68 years: times in microseconds stay far inside 63 bits */
#define CMAF_TIMESCALE_MAX 10000000 /* 100 ns, the finest in use */
#define CMAF_REORDER_MAX_S 10       /* between decoding and showing a frame */
#define CMAF_SIDE_MAX 16384         /* pixels in width and height */
#define CMAF_SAMPLE_RATE_MAX 192000

struct cmaf_track {
    uint8_t kind; /* enum track_kind of core/proto/manifest.h */
    uint32_t track_id;
    uint32_t timescale; /* ticks a second */
    uint16_t width, height;
    uint32_t sample_rate;
    uint16_t channels;
    uint32_t default_duration, default_size, default_flags; /* of trex */
    uint16_t config_len;
    uint8_t config[CMAF_CONFIG_MAX]; /* avcC (ISO/IEC 14496-15) or AudioSpecificConfig */
};

struct cmaf_sample {
    uint32_t offset; /* in the fragment's bytes */
    uint32_t size;
    int64_t dts; /* ticks */
    int32_t cts_offset;
    uint32_t duration;
    bool keyframe;
};

struct cmaf_fragment {
    size_t len;
    struct cmaf_sample samples[CMAF_SAMPLES_MAX];
};

/* Returns 0, ERR_TRUNCATED, ERR_FORMAT, ERR_RANGE, ERR_NOT_FOUND (a box is missing) or
 * ERR_UNSUPPORTED (another codec, more than one track). `ret` is untouched on an error. */
MUST_CHECK int cmaf_read_init(const void *data, size_t len, struct cmaf_track *ret);

/* The samples of a fragment, in decoding order; each lies inside `data`. Errors as above; the
 * contents of `ret` are undefined then. */
MUST_CHECK int cmaf_read_fragment(const struct cmaf_track *track, const void *data, size_t len,
                                  struct cmaf_fragment *ret);

/* True where a decoder set up for one goes on with the other: same codec, configuration, size. */
bool cmaf_track_is_compatible(const struct cmaf_track *a, const struct cmaf_track *b);

#endif
