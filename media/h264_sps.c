#include "media/h264_sps.h"

#include <stdbool.h>

#include "core/base/bytes.h"
#include "core/base/err.h"

#define NAL_SPS 7
#define SAMPLE_ASPECT_EXTENDED 255

/* Bits of a NAL unit's payload, its emulation prevention bytes taken out. */
struct bits {
    uint8_t data[H264_SPS_MAX];
    size_t len, at; /* in bits */
    int err;
};

static struct bits bits_init(const uint8_t *nal, size_t len) {
    struct bits b = {.len = 0};
    size_t n = 0, zeros = 0;
    for (size_t i = 0; i < len; i++) {
        if (zeros >= 2 && nal[i] == 3) {
            zeros = 0;
            continue;
        }
        zeros = nal[i] == 0 ? zeros + 1 : 0;
        b.data[n++] = nal[i];
    }
    b.len = 8 * n;
    return b;
}

static uint32_t u(struct bits *b, unsigned count) {
    uint32_t v = 0;
    for (unsigned i = 0; i < count; i++) {
        if (b->at >= b->len) {
            b->err = ERR_TRUNCATED;
            return 0;
        }
        v = v << 1 | ((uint32_t)b->data[b->at / 8] >> (7 - b->at % 8) & 1u);
        b->at++;
    }
    return v;
}

/* Unsigned Exp-Golomb (9.1). */
static uint32_t ue(struct bits *b) {
    unsigned zeros = 0;
    while (!b->err && u(b, 1) == 0)
        if (++zeros == 32) b->err = ERR_FORMAT;
    if (b->err) return 0;
    return (uint32_t)((1ull << zeros) - 1 + u(b, zeros));
}

/* Signed Exp-Golomb: only where the value matters to how much follows. */
static int32_t se(struct bits *b) {
    uint32_t v = ue(b);
    return v & 1 ? (int32_t)(v / 2 + 1) : -(int32_t)(v / 2);
}

static void skip_scaling_list(struct bits *b, unsigned size) {
    int32_t last = 8, next = 8;
    for (unsigned i = 0; i < size && !b->err; i++) {
        if (next != 0) next = (int32_t)(((int64_t)last + se(b)) & 255);
        if (next != 0) last = next;
    }
}

static void skip_chroma(struct bits *b) {
    uint32_t chroma = ue(b);
    if (chroma == 3) u(b, 1);
    ue(b); /* depths */
    ue(b);
    u(b, 1);
    if (!u(b, 1)) return;
    for (unsigned i = 0; i < (chroma == 3 ? 12u : 8u); i++)
        if (u(b, 1)) skip_scaling_list(b, i < 6 ? 16 : 64);
}

static bool has_chroma(uint32_t profile) {
    static const uint8_t profiles[] = {100, 110, 122, 244, 44,  83, 86,
                                       118, 128, 138, 139, 134, 135};
    for (size_t i = 0; i < ARRAY_LEN(profiles); i++)
        if (profiles[i] == profile) return true;
    return false;
}

/* Returns pic_order_cnt_type. */
static uint32_t skip_order_count(struct bits *b) {
    uint32_t type = ue(b);
    if (type == 0) ue(b);
    if (type != 1) return type;
    u(b, 1);
    se(b);
    se(b);
    uint32_t cycle = ue(b);
    if (cycle > 255) b->err = ERR_RANGE;
    for (uint32_t i = 0; i < cycle && !b->err; i++) se(b);
    return type;
}

static void skip_hrd(struct bits *b) {
    uint32_t count = ue(b) + 1;
    if (count > 32) b->err = ERR_RANGE;
    u(b, 8);
    for (uint32_t i = 0; i < count && !b->err; i++) {
        ue(b);
        ue(b);
        u(b, 1);
    }
    u(b, 20);
}

/* Moves to bitstream_restriction_flag (E.1.1). */
static void skip_vui(struct bits *b) {
    if (u(b, 1) && u(b, 8) == SAMPLE_ASPECT_EXTENDED) u(b, 32);
    if (u(b, 1)) u(b, 1);
    if (u(b, 1)) {
        u(b, 4);
        if (u(b, 1)) u(b, 24);
    }
    if (u(b, 1)) {
        ue(b);
        ue(b);
    }
    if (u(b, 1)) {
        u(b, 32);
        u(b, 32);
        u(b, 1);
    }
    bool nal_hrd = u(b, 1);
    if (nal_hrd) skip_hrd(b);
    bool vcl_hrd = u(b, 1);
    if (vcl_hrd) skip_hrd(b);
    if (nal_hrd || vcl_hrd) u(b, 1);
    u(b, 1);
}

static void skip_size(struct bits *b) {
    u(b, 1);
    ue(b);
    ue(b);
    if (!u(b, 1)) u(b, 1);
    u(b, 1);
    if (!u(b, 1)) return;
    for (int i = 0; i < 4; i++) ue(b);
}

static int parse_sps(struct bits *b) {
    if ((u(b, 8) & 31) != NAL_SPS) return ERR_FORMAT;
    uint32_t profile = u(b, 8);
    u(b, 16);
    ue(b);
    if (has_chroma(profile)) skip_chroma(b);
    ue(b);
    uint32_t order = skip_order_count(b);
    uint32_t reference_frames = ue(b);
    skip_size(b);
    /* Without a word in the stream (E.2.1): none in Baseline and where the order of decoding is
     * that of showing (type 2), else no more than it refers to. */
    uint32_t frames = profile == 66 || order == 2 ? 0 : reference_frames;
    if (u(b, 1)) {
        skip_vui(b);
        if (u(b, 1)) {
            u(b, 1);
            for (int i = 0; i < 4; i++) ue(b);
            frames = ue(b);
        }
    }
    if (b->err) return b->err;
    return frames <= H264_REORDER_MAX ? (int)frames : ERR_RANGE;
}

int h264_reorder_frames(const uint8_t *avcc, size_t len) {
    struct reader r = reader_init(avcc, len);
    read_view(&r, 5);
    if ((read_u8(&r) & 31) == 0) reader_fail(&r, ERR_FORMAT); /* count of parameter sets */
    uint16_t sps_len = read_u16(&r);
    const uint8_t *sps = read_view(&r, sps_len);
    if (r.err) return r.err;
    if (sps_len > H264_SPS_MAX) return ERR_RANGE;
    struct bits b = bits_init(sps, sps_len);
    return parse_sps(&b);
}
