#include "media/cmaf_join.h"

#include <string.h>

#include "core/base/err.h"
#include "media/cmaf_box.h"

/* iso6: fragments whose offsets count from the moof (14496-12, annex E); cmfc: CMAF. */
static const uint8_t file_type[] = {0, 0, 0, 24, 'f', 't', 'y', 'p', 'i', 's', 'o', '6',
                                    0, 0, 0, 0,  'i', 's', 'o', '6', 'c', 'm', 'f', 'c'};

/* --- one moov of several --- */

/* Starts a box whose size is not known yet; finish_box fills it in. */
static uint8_t *start_box(struct writer *w, uint32_t type) {
    uint8_t *start = w->at;
    write_u32(w, 0);
    write_u32(w, type);
    return start;
}

static void finish_box(struct writer *w, uint8_t *start) {
    if (!w->err) store_u32(start, (uint32_t)(w->at - start));
}

/* Copies a box and replaces the number that stands `offset` bytes into its contents. */
static int copy_box(struct writer *w, const struct box *b, size_t offset, uint32_t number) {
    if (reader_left(&b->body) < offset + 4) return ERR_TRUNCATED;
    uint8_t *copy = write_space(w, b->len);
    if (copy == NULL) return w->err;
    memcpy(copy, b->start, b->len);
    store_u32(copy + (b->body.at - b->start) + offset, number);
    return 0;
}

/* Where a tkhd or mvhd of this version has a number that stands behind its times. */
static size_t behind_times(const struct box *b, size_t version0, size_t version1) {
    return reader_left(&b->body) > 0 && b->body.at[0] == 1 ? version1 : version0;
}

static int copy_trak(struct writer *w, const struct box *trak, uint32_t number) {
    struct reader r = trak->body;
    struct box b;
    int err = 0;
    uint8_t *start = start_box(w, trak->type);
    while (!err && box_next(&r, &b)) {
        if (b.type == BOX_TYPE('t', 'k', 'h', 'd'))
            err = copy_box(w, &b, behind_times(&b, 12, 20), number);
        else
            write_bytes(w, b.start, b.len);
    }
    finish_box(w, start);
    return err ? err : r.err;
}

static int find_moov(const struct track *t, struct box *ret) {
    return box_find(reader_init(t->init, t->init_len), BOX_TYPE('m', 'o', 'o', 'v'), ret);
}

static int write_mvhd(struct writer *w, const struct track *t, uint32_t next_number) {
    struct box moov, mvhd;
    int err = find_moov(t, &moov);
    if (!err) err = box_find(moov.body, BOX_TYPE('m', 'v', 'h', 'd'), &mvhd);
    return err ? err : copy_box(w, &mvhd, behind_times(&mvhd, 96, 108), next_number);
}

static int write_trak(struct writer *w, const struct track *t, uint32_t number) {
    struct box moov, trak;
    int err = find_moov(t, &moov);
    if (!err) err = box_find(moov.body, BOX_TYPE('t', 'r', 'a', 'k'), &trak);
    return err ? err : copy_trak(w, &trak, number);
}

static int write_trex(struct writer *w, const struct track *t, uint32_t number) {
    static const uint32_t path[] = {BOX_TYPE('m', 'o', 'o', 'v'), BOX_TYPE('m', 'v', 'e', 'x'),
                                    BOX_TYPE('t', 'r', 'e', 'x')};
    struct box trex;
    int err = box_find_path(reader_init(t->init, t->init_len), path, ARRAY_LEN(path), &trex);
    return err ? err : copy_box(w, &trex, 4, number);
}

static int write_moov(struct cmaf_join *j, const struct track *tracks) {
    struct writer w = writer_init(j->init, sizeof j->init);
    write_bytes(&w, file_type, sizeof file_type);
    uint8_t *moov = start_box(&w, BOX_TYPE('m', 'o', 'o', 'v'));
    int err = write_mvhd(&w, &tracks[j->tracks[0].index], (uint32_t)j->tracks_len + 1);
    for (size_t i = 0; i < j->tracks_len && !err; i++)
        err = write_trak(&w, &tracks[j->tracks[i].index], (uint32_t)i + 1);
    uint8_t *mvex = start_box(&w, BOX_TYPE('m', 'v', 'e', 'x'));
    for (size_t i = 0; i < j->tracks_len && !err; i++)
        err = write_trex(&w, &tracks[j->tracks[i].index], (uint32_t)i + 1);
    finish_box(&w, mvex);
    finish_box(&w, moov);
    if (!err) err = w.err;
    j->init_len = writer_len(&w);
    return err;
}

static int add_track(struct cmaf_join *j, const struct track *tracks, size_t n,
                     enum track_kind kind) {
    for (size_t i = 0; i < n && i < TRACKS_MAX; i++) {
        if (tracks[i].kind != kind) continue;
        if (tracks[i].init_len > INIT_SIZE_MAX) return ERR_RANGE;
        struct cmaf_track *t = &j->tracks[j->tracks_len].track;
        int err = cmaf_read_init(tracks[i].init, tracks[i].init_len, t);
        if (err) return err;
        if (t->kind != kind) return ERR_FORMAT;
        j->tracks[j->tracks_len++].index = (uint8_t)i;
        return 0;
    }
    return 0;
}

int cmaf_join_init(struct cmaf_join *ret, const struct track *tracks, size_t n) {
    struct cmaf_join j = {0};
    int err = add_track(&j, tracks, n, TRACK_VIDEO);
    if (!err) err = add_track(&j, tracks, n, TRACK_AUDIO);
    if (!err && j.tracks_len == 0) err = ERR_ARGUMENT;
    if (!err) err = write_moov(&j, tracks);
    if (!err) *ret = j;
    return err;
}

/* --- fragments --- */

int cmaf_join_find(const struct cmaf_join *j, uint8_t index) {
    for (size_t i = 0; i < j->tracks_len; i++)
        if (j->tracks[i].index == index) return (int)i;
    return -1;
}

int cmaf_join_split(const struct cmaf_join *j, size_t at, const void *data, size_t len,
                    struct cmaf_piece *ret) {
    struct cmaf_fragment samples;
    int err = cmaf_read_fragment(&j->tracks[at].track, data, len, &samples);
    if (err) return err;
    const uint8_t *start = data;
    static const uint32_t sequence_path[] = {BOX_TYPE('m', 'o', 'o', 'f'),
                                             BOX_TYPE('m', 'f', 'h', 'd')};
    struct box moof, mdat, mfhd;
    err = box_find(reader_init(data, len), BOX_TYPE('m', 'o', 'o', 'f'), &moof);
    if (!err) err = box_find(reader_init(data, len), BOX_TYPE('m', 'd', 'a', 't'), &mdat);
    if (!err) err = box_find_path(reader_init(data, len), sequence_path, 2, &mfhd);
    if (err) return err;
    if (reader_left(&mfhd.body) < 8) return ERR_TRUNCATED;
    *ret = (struct cmaf_piece){.start = (size_t)(moof.start - start),
                               .payload = (size_t)(mdat.body.at - start),
                               .end = (size_t)(mdat.body.end - start)};
    return 0;
}

void cmaf_join_patch(uint8_t *head, size_t len, size_t at, uint32_t sequence) {
    static const uint32_t track_path[] = {BOX_TYPE('t', 'r', 'a', 'f'),
                                          BOX_TYPE('t', 'f', 'h', 'd')};
    struct box moof, b;
    if (box_find(reader_init(head, len), BOX_TYPE('m', 'o', 'o', 'f'), &moof) != 0) return;
    if (box_find(moof.body, BOX_TYPE('m', 'f', 'h', 'd'), &b) == 0)
        store_u32(head + (b.body.at - head) + 4, sequence);
    if (box_find_path(moof.body, track_path, 2, &b) == 0)
        store_u32(head + (b.body.at - head) + 4, (uint32_t)at + 1);
}
