#include "core/swarm/publisher.h"

#include <string.h>

#include "core/base/err.h"

void publisher_init(struct publisher *p, uint64_t broadcast, const struct sign_key *broadcast_key,
                    const struct read_key *read_key) {
    memset(p, 0, sizeof *p);
    p->broadcast = broadcast;
    p->broadcast_key = *broadcast_key;
    p->manifest_version = 1;
    p->is_private = read_key != NULL;
    if (read_key != NULL) p->read_key = *read_key;
}

void publisher_release(struct publisher *p) { secret_erase(p, sizeof *p); }

/* The head's fields that a fragment decides; `part` of `parts` chunks. */
static void describe(const struct publisher *p, const struct fragment *f, size_t part, size_t parts,
                     struct head *h) {
    memset(h, 0, sizeof *h);
    h->broadcast = p->broadcast;
    h->track = f->track;
    h->number = p->next[f->track];
    h->pts_us = f->pts_us;
    h->duration_us = f->duration_us;
    h->capture_us = f->capture_us;
    h->manifest_version = p->manifest_version;
    h->cell_size = CELL_SIZE;
    if (part == 0) h->flags |= HEAD_FIRST;
    if (part == parts - 1) h->flags |= HEAD_LAST;
    if (part == 0 && f->random_access) h->flags |= HEAD_RANDOM_ACCESS;
    if (f->end) h->flags |= HEAD_END;
    uint32_t back = h->number - p->random_access[f->track];
    h->random_access = (uint16_t)(back > UINT16_MAX ? UINT16_MAX : back);
}

/* Seals, hashes and signs `len` bytes into a whole chunk. */
static int make_chunk(const struct publisher *p, struct head *h, const uint8_t *data, size_t len,
                      struct chunk **ret) {
    uint8_t payload[CHUNK_CELLS_MAX * CELL_SIZE];
    bool seals = p->is_private && len > 0;
    h->size = (uint32_t)(len + (seals ? READ_KEY_OVERHEAD : 0));
    if (seals)
        read_key_seal(&p->read_key, h->broadcast, h->track, h->number, data, len, payload);
    else if (len > 0)
        memcpy(payload, data, len);
    for (uint32_t i = 0; i < head_cells(h); i++)
        hash_cell(h->hashes[i], payload + (size_t)i * h->cell_size, head_cell_len(h, i));

    uint8_t encoded[HEAD_SIZE_MAX];
    int encoded_len = head_sign(h, &p->broadcast_key, encoded, sizeof encoded);
    if (encoded_len < 0) return encoded_len;
    struct chunk *c = chunk_new(p->chunks, h, encoded, (size_t)encoded_len);
    if (c == NULL) return ERR_MEMORY;
    chunk_fill(c, payload);
    *ret = c;
    return 0;
}

int publisher_cut(struct publisher *p, const struct fragment *f,
                  int (*emit)(void *ctx, struct chunk *chunk), void *ctx) {
    if (f->track >= TRACKS_MAX || f->len > FRAGMENT_SIZE_MAX) return ERR_RANGE;
    if (f->len == 0 && !f->end) return ERR_RANGE;
    size_t room = CHUNK_CELLS_MAX * CELL_SIZE - (p->is_private ? READ_KEY_OVERHEAD : 0);
    size_t parts = f->end ? 1 : (f->len + room - 1) / room;
    if (f->random_access) p->random_access[f->track] = p->next[f->track];
    for (size_t part = 0; part < parts; part++) {
        struct head h;
        describe(p, f, part, parts, &h);
        size_t at = part * room;
        struct chunk *c;
        int err = make_chunk(p, &h, f->data + at, f->end ? 0 : size_min(room, f->len - at), &c);
        if (err) return err;
        p->next[f->track]++;
        err = emit(ctx, c);
        if (err) return err;
    }
    return (int)parts;
}
