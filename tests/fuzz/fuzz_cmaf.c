/* fuzz_cmaf.c - initialisation segments and fragments from a hostile signer: parsed, joined for
 * /live.mp4 and ordered for a recording. Input: 2 bytes of length, an initialisation segment, and a
 * fragment of its track. Where the former is refused the fragment is read as one of a plain track.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/proto/fragment.h"
#include "core/proto/manifest.h"
#include "media/cmaf_join.h"
#include "media/cmaf_reader.h"
#include "media/h264_sps.h"
#include "media/recorder_order.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_samples(const struct cmaf_fragment *f, size_t len) {
    assert(f->len > 0 && f->len <= CMAF_SAMPLES_MAX);
    for (size_t i = 0; i < f->len; i++) {
        const struct cmaf_sample *s = &f->samples[i];
        assert(s->size > 0 && s->offset <= len && s->size <= len - s->offset && s->dts >= 0);
    }
}

static void join(const uint8_t *init, uint16_t init_len, uint8_t kind, const uint8_t *data,
                 size_t len) {
    static struct cmaf_join j;
    static struct track tracks[2];
    struct cmaf_piece piece;
    for (size_t i = 0; i < 2; i++) {
        tracks[i].kind = i == 0 ? TRACK_VIDEO : TRACK_AUDIO;
        tracks[i].init_len = init_len;
        memcpy(tracks[i].init, init, init_len);
    }
    const struct track *only = &tracks[kind == TRACK_VIDEO ? 0 : 1];
    if (cmaf_join_init(&j, only, 1) != 0 || cmaf_join_split(&j, 0, data, len, &piece) != 0) return;
    assert(piece.start < piece.payload && piece.payload <= piece.end && piece.end <= len);
    size_t head_len = piece.payload - piece.start;
    uint8_t *head = malloc(head_len);
    if (head == NULL) return;
    memcpy(head, data + piece.start, head_len);
    cmaf_join_patch(head, head_len, 0, 7);
    free(head);
}

static void order(const struct cmaf_track *t, const uint8_t *data, size_t len) {
    static struct order o;
    struct fragment *f = fragment_new(len);
    if (f == NULL) return;
    memcpy(f->data, data, len);
    f->random_access = true;
    enum order_kind kind = t->kind == TRACK_VIDEO ? ORDER_VIDEO : ORDER_AUDIO;
    order_start(&o, kind == ORDER_VIDEO ? t : NULL, kind == ORDER_AUDIO ? t : NULL, 2, true);
    struct order_frame frame;
    uint64_t deadline_us;
    for (uint64_t i = 0; i < 3; i++) {
        order_push(&o, kind, fragment_ref(f), i);
        while (order_next(&o, true, i, &frame, &deadline_us))
            assert(frame.sample.cts_offset >= 0 && frame.sample.dts >= 0);
    }
    order_release(&o);
    assert(atomic_load(&f->references) == 1);
    fragment_unref(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    struct reader r = reader_init(data, len);
    uint16_t init_len = (uint16_t)(read_u16(&r) % (INIT_SIZE_MAX + 1));
    const uint8_t *init = read_view(&r, init_len);
    if (r.err) return 0;
    size_t rest_len = reader_left(&r);
    const uint8_t *rest = read_view(&r, rest_len);

    static struct cmaf_fragment samples;
    struct cmaf_track t = {.kind = TRACK_VIDEO, .track_id = 1, .timescale = 12800};
    if (cmaf_read_init(init, init_len, &t) == 0) {
        if (t.kind == TRACK_VIDEO) {
            int frames = h264_reorder_frames(t.config, t.config_len);
            assert(frames <= H264_REORDER_MAX);
        }
        join(init, init_len, t.kind, rest, rest_len);
    }
    if (cmaf_read_fragment(&t, rest, rest_len, &samples) != 0) return 0;
    check_samples(&samples, rest_len);
    order(&t, rest, rest_len);
    return 0;
}
