#include "media/cmaf_reader.h"

#include <string.h>

#include "core/base/err.h"
#include "core/proto/manifest.h"
#include "media/cmaf_box.h"

#define VISUAL_ENTRY_BYTES 78 /* of a VisualSampleEntry before its boxes (14496-12, 12.1.3) */
#define SAMPLE_IS_NOT_SYNC 0x00010000u

enum {
    TFHD_BASE_DATA_OFFSET = 0x000001,
    TFHD_DESCRIPTION_INDEX = 0x000002,
    TFHD_DEFAULT_DURATION = 0x000008,
    TFHD_DEFAULT_SIZE = 0x000010,
    TFHD_DEFAULT_FLAGS = 0x000020,
    TRUN_DATA_OFFSET = 0x000001,
    TRUN_FIRST_FLAGS = 0x000004,
    TRUN_DURATION = 0x000100,
    TRUN_SIZE = 0x000200,
    TRUN_FLAGS = 0x000400,
    TRUN_CTS_OFFSET = 0x000800,
};

static uint8_t read_version_flags(struct reader *r, uint32_t *ret_flags) {
    uint32_t v = read_u32(r);
    *ret_flags = v & 0xffffff;
    return (uint8_t)(v >> 24);
}

/* --- initialisation segment --- */

static int set_config(struct cmaf_track *t, struct reader *r, size_t len) {
    if (len == 0 || len > CMAF_CONFIG_MAX) return ERR_RANGE;
    const uint8_t *config = read_view(r, len);
    if (config == NULL) return r->err;
    memcpy(t->config, config, len);
    t->config_len = (uint16_t)len;
    return 0;
}

static int read_avcc(struct reader r, struct cmaf_track *t) {
    int err = set_config(t, &r, reader_left(&r));
    if (err) return err;
    if (t->config_len < 7) return ERR_TRUNCATED;
    /* Version 1, and lengths of four bytes before each NAL unit. */
    if (t->config[0] != 1 || (t->config[4] & 3) != 3) return ERR_UNSUPPORTED;
    return 0;
}

/* A descriptor's tag and its length of one to four bytes, seven bits each (14496-1, 8.3.3). */
static size_t read_descriptor(struct reader *r, uint8_t tag) {
    if (read_u8(r) != tag) reader_fail(r, ERR_FORMAT);
    size_t len = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t b = read_u8(r);
        len = len << 7 | (b & 0x7f);
        if (!(b & 0x80)) break;
    }
    if (len > reader_left(r)) reader_fail(r, ERR_TRUNCATED);
    return len;
}

static int read_esds(struct reader r, struct cmaf_track *t) {
    read_u32(&r);
    read_descriptor(&r, 3); /* ES_Descriptor */
    read_u16(&r);
    uint8_t flags = read_u8(&r);
    if (flags & 0xe0) reader_fail(&r, ERR_UNSUPPORTED);        /* of other streams and URLs */
    read_descriptor(&r, 4);                                    /* DecoderConfigDescriptor */
    if (read_u8(&r) != 0x40) reader_fail(&r, ERR_UNSUPPORTED); /* MPEG-4 audio */
    read_view(&r, 12);
    size_t len = read_descriptor(&r, 5); /* DecoderSpecificInfo */
    if (r.err) return r.err;
    return len < 2 ? ERR_RANGE : set_config(t, &r, len);
}

static int read_visual_entry(struct reader r, struct cmaf_track *t) {
    read_view(&r, 24);
    t->width = read_u16(&r);
    t->height = read_u16(&r);
    read_view(&r, VISUAL_ENTRY_BYTES - 28);
    if (r.err) return r.err;
    if (t->width == 0 || t->height == 0 || t->width > CMAF_SIDE_MAX || t->height > CMAF_SIDE_MAX)
        return ERR_RANGE;
    struct box avcc;
    int err = box_find(r, BOX_TYPE('a', 'v', 'c', 'C'), &avcc);
    return err ? err : read_avcc(avcc.body, t);
}

static int read_audio_entry(struct reader r, struct cmaf_track *t) {
    read_view(&r, 16);
    t->channels = read_u16(&r);
    read_view(&r, 6);
    t->sample_rate = read_u32(&r) >> 16;
    if (r.err) return r.err;
    /* 16 bits do not hold 88.2 kHz and more; then the timescale is the rate by convention. */
    if (t->sample_rate == 0) t->sample_rate = t->timescale;
    if (t->channels == 0 || t->channels > 8 || t->sample_rate > CMAF_SAMPLE_RATE_MAX)
        return ERR_RANGE;
    struct box esds;
    int err = box_find(r, BOX_TYPE('e', 's', 'd', 's'), &esds);
    return err ? err : read_esds(esds.body, t);
}

static int read_stsd(struct reader r, struct cmaf_track *t) {
    uint32_t flags;
    read_version_flags(&r, &flags);
    if (read_u32(&r) != 1) reader_fail(&r, ERR_UNSUPPORTED);
    struct box entry;
    if (!box_next(&r, &entry)) return r.err ? r.err : ERR_NOT_FOUND;
    if (t->kind == TRACK_VIDEO && entry.type == BOX_TYPE('a', 'v', 'c', '1'))
        return read_visual_entry(entry.body, t);
    if (t->kind == TRACK_AUDIO && entry.type == BOX_TYPE('m', 'p', '4', 'a'))
        return read_audio_entry(entry.body, t);
    return ERR_UNSUPPORTED;
}

static int read_tkhd(struct reader r, struct cmaf_track *t) {
    uint32_t flags;
    uint8_t version = read_version_flags(&r, &flags);
    read_view(&r, version == 1 ? 16 : 8);
    t->track_id = read_u32(&r);
    if (!r.err && (version > 1 || t->track_id == 0)) return ERR_RANGE;
    return r.err;
}

static int read_mdhd(struct reader r, struct cmaf_track *t) {
    uint32_t flags;
    uint8_t version = read_version_flags(&r, &flags);
    read_view(&r, version == 1 ? 16 : 8);
    t->timescale = read_u32(&r);
    if (r.err) return r.err;
    return version > 1 || t->timescale == 0 || t->timescale > CMAF_TIMESCALE_MAX ? ERR_RANGE : 0;
}

static int read_hdlr(struct reader r, struct cmaf_track *t) {
    read_u64(&r);
    uint32_t handler = read_u32(&r);
    if (r.err) return r.err;
    if (handler == BOX_TYPE('v', 'i', 'd', 'e'))
        t->kind = TRACK_VIDEO;
    else if (handler == BOX_TYPE('s', 'o', 'u', 'n'))
        t->kind = TRACK_AUDIO;
    else
        return ERR_UNSUPPORTED;
    return 0;
}

static int read_trex(struct reader r, struct cmaf_track *t) {
    uint32_t flags;
    read_version_flags(&r, &flags);
    uint32_t track_id = read_u32(&r);
    read_u32(&r);
    t->default_duration = read_u32(&r);
    t->default_size = read_u32(&r);
    t->default_flags = read_u32(&r);
    if (r.err) return r.err;
    return track_id == t->track_id ? 0 : ERR_RANGE;
}

/* Where each part of a track stands below moov, in the order in which they need each other. */
static const struct {
    size_t depth;
    uint32_t path[5];
    int (*read)(struct reader, struct cmaf_track *);
} init_parts[] = {
    {2, {BOX_TYPE('t', 'r', 'a', 'k'), BOX_TYPE('t', 'k', 'h', 'd')}, read_tkhd},
    {3,
     {BOX_TYPE('t', 'r', 'a', 'k'), BOX_TYPE('m', 'd', 'i', 'a'), BOX_TYPE('m', 'd', 'h', 'd')},
     read_mdhd},
    {3,
     {BOX_TYPE('t', 'r', 'a', 'k'), BOX_TYPE('m', 'd', 'i', 'a'), BOX_TYPE('h', 'd', 'l', 'r')},
     read_hdlr},
    {5,
     {BOX_TYPE('t', 'r', 'a', 'k'), BOX_TYPE('m', 'd', 'i', 'a'), BOX_TYPE('m', 'i', 'n', 'f'),
      BOX_TYPE('s', 't', 'b', 'l'), BOX_TYPE('s', 't', 's', 'd')},
     read_stsd},
    {2, {BOX_TYPE('m', 'v', 'e', 'x'), BOX_TYPE('t', 'r', 'e', 'x')}, read_trex},
};

int cmaf_read_init(const void *data, size_t len, struct cmaf_track *ret) {
    struct cmaf_track t = {0};
    struct box moov, part;
    int err = box_find(reader_init(data, len), BOX_TYPE('m', 'o', 'o', 'v'), &moov);
    if (err) return err;
    for (size_t i = 0; i < ARRAY_LEN(init_parts); i++) {
        err = box_find_path(moov.body, init_parts[i].path, init_parts[i].depth, &part);
        if (!err) err = init_parts[i].read(part.body, &t);
        if (err) return err;
    }
    size_t tracks = 0;
    while (box_next(&moov.body, &part)) tracks += part.type == BOX_TYPE('t', 'r', 'a', 'k');
    if (moov.body.err) return moov.body.err;
    if (tracks != 1) return ERR_UNSUPPORTED;
    *ret = t;
    return 0;
}

bool cmaf_track_is_compatible(const struct cmaf_track *a, const struct cmaf_track *b) {
    return a->kind == b->kind && a->width == b->width && a->height == b->height &&
           a->sample_rate == b->sample_rate && a->channels == b->channels &&
           a->config_len == b->config_len && memcmp(a->config, b->config, a->config_len) == 0;
}

/* --- fragment --- */

/* What holds for the next run of samples. */
struct run {
    const struct cmaf_track *track;
    uint32_t duration, size, flags; /* defaults of tfhd, or of trex */
    int64_t dts;
    uint64_t at;         /* where the next sample's bytes are */
    uint64_t first, end; /* of the mdat's contents */
    uint64_t moof;       /* offsets in trun count from here */
    size_t runs;
};

static int read_tfhd(struct reader r, struct run *run) {
    uint32_t flags;
    read_version_flags(&r, &flags);
    uint32_t track_id = read_u32(&r);
    if (flags & TFHD_BASE_DATA_OFFSET) reader_fail(&r, ERR_UNSUPPORTED);
    if (flags & TFHD_DESCRIPTION_INDEX) read_u32(&r);
    run->duration = flags & TFHD_DEFAULT_DURATION ? read_u32(&r) : run->track->default_duration;
    run->size = flags & TFHD_DEFAULT_SIZE ? read_u32(&r) : run->track->default_size;
    run->flags = flags & TFHD_DEFAULT_FLAGS ? read_u32(&r) : run->track->default_flags;
    if (r.err) return r.err;
    return track_id == run->track->track_id ? 0 : ERR_RANGE;
}

static int64_t time_max(const struct cmaf_track *t) {
    return (int64_t)CMAF_TIME_MAX_S * (int64_t)t->timescale;
}

static int read_tfdt(struct reader r, struct run *run) {
    uint32_t flags;
    uint8_t version = read_version_flags(&r, &flags);
    uint64_t dts = version == 1 ? read_u64(&r) : read_u32(&r);
    if (r.err) return r.err;
    if (version > 1 || dts > (uint64_t)time_max(run->track)) return ERR_RANGE;
    run->dts = (int64_t)dts;
    return 0;
}

static int read_cts_offset(struct reader *r, uint8_t version, const struct run *run,
                           struct cmaf_sample *s) {
    uint32_t raw = read_u32(r);
    int64_t offset = version == 0 ? (int64_t)raw : (int64_t)(int32_t)raw;
    int64_t most = (int64_t)run->track->timescale * CMAF_REORDER_MAX_S;
    if (offset > most || offset < -most || offset > INT32_MAX) return ERR_RANGE;
    s->cts_offset = (int32_t)offset;
    return 0;
}

static int read_sample(struct reader *r, uint8_t version, uint32_t flags, uint32_t sample_flags,
                       struct run *run, struct cmaf_sample *ret) {
    struct cmaf_sample s = {.dts = run->dts};
    s.duration = flags & TRUN_DURATION ? read_u32(r) : run->duration;
    s.size = flags & TRUN_SIZE ? read_u32(r) : run->size;
    if (flags & TRUN_FLAGS) sample_flags = read_u32(r);
    s.keyframe = !(sample_flags & SAMPLE_IS_NOT_SYNC);
    if (flags & TRUN_CTS_OFFSET) {
        int err = read_cts_offset(r, version, run, &s);
        if (err) return err;
    }
    if (r->err) return r->err;
    if (s.size == 0 || run->at < run->first || run->at > run->end || s.size > run->end - run->at)
        return ERR_RANGE;
    if (run->at > UINT32_MAX || s.duration > time_max(run->track) - run->dts) return ERR_RANGE;
    s.offset = (uint32_t)run->at;
    run->at += s.size;
    run->dts += s.duration;
    *ret = s;
    return 0;
}

static int read_trun(struct reader r, struct run *run, struct cmaf_fragment *f) {
    uint32_t flags;
    uint8_t version = read_version_flags(&r, &flags);
    uint32_t count = read_u32(&r);
    if (version > 1) return ERR_RANGE;
    if (flags & TRUN_DATA_OFFSET) {
        int64_t at = (int64_t)run->moof + (int32_t)read_u32(&r);
        if (at < 0) return ERR_RANGE;
        run->at = (uint64_t)at;
    } else if (run->runs == 0) {
        return ERR_UNSUPPORTED; /* the samples would start inside the moof */
    }
    uint32_t first_flags = flags & TRUN_FIRST_FLAGS ? read_u32(&r) : run->flags;
    if (r.err) return r.err;
    if (count > CMAF_SAMPLES_MAX - f->len) return ERR_RANGE;
    for (uint32_t i = 0; i < count; i++) {
        int err = read_sample(&r, version, flags, i == 0 ? first_flags : run->flags, run,
                              &f->samples[f->len]);
        if (err) return err;
        f->len++;
    }
    run->runs++;
    return reader_finish(&r);
}

static int read_traf(struct reader traf, struct run *run, struct cmaf_fragment *f) {
    struct box b;
    int err = box_find(traf, BOX_TYPE('t', 'f', 'h', 'd'), &b);
    if (!err) err = read_tfhd(b.body, run);
    if (!err) err = box_find(traf, BOX_TYPE('t', 'f', 'd', 't'), &b);
    if (!err) err = read_tfdt(b.body, run);
    if (err) return err;
    while (box_next(&traf, &b)) {
        if (b.type != BOX_TYPE('t', 'r', 'u', 'n')) continue;
        err = read_trun(b.body, run, f);
        if (err) return err;
    }
    return traf.err;
}

/* The one moof and the one mdat behind it. */
static int find_parts(struct reader r, struct box *ret_moof, struct box *ret_mdat) {
    struct box b;
    size_t moofs = 0, mdats = 0;
    while (box_next(&r, &b)) {
        if (b.type == BOX_TYPE('m', 'o', 'o', 'f')) {
            *ret_moof = b;
            moofs++;
        } else if (b.type == BOX_TYPE('m', 'd', 'a', 't')) {
            if (moofs == 0) return ERR_FORMAT;
            *ret_mdat = b;
            mdats++;
        }
    }
    if (r.err) return r.err;
    if (moofs == 0 || mdats == 0) return ERR_NOT_FOUND;
    return moofs == 1 && mdats == 1 ? 0 : ERR_UNSUPPORTED;
}

int cmaf_read_fragment(const struct cmaf_track *track, const void *data, size_t len,
                       struct cmaf_fragment *ret) {
    const uint8_t *start = data;
    struct box moof = {0}, mdat = {0}, traf, extra;
    int err = find_parts(reader_init(data, len), &moof, &mdat);
    if (!err) err = box_find(moof.body, BOX_TYPE('t', 'r', 'a', 'f'), &traf);
    if (err) return err;
    struct reader behind = reader_init(traf.body.end, (size_t)(moof.body.end - traf.body.end));
    if (box_find(behind, BOX_TYPE('t', 'r', 'a', 'f'), &extra) != ERR_NOT_FOUND)
        return ERR_UNSUPPORTED;
    struct run run = {
        .track = track,
        .moof = (uint64_t)(moof.start - start),
        .first = (uint64_t)(mdat.body.at - start),
        .end = (uint64_t)(mdat.body.end - start),
    };
    ret->len = 0;
    err = read_traf(traf.body, &run, ret);
    if (err) return err;
    return ret->len > 0 ? 0 : ERR_NOT_FOUND;
}
