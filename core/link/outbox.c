#include "core/link/outbox.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"

#define REF_PART_BITS 4
#define CAPACITY_MIN 4 /* powers of two: ids wrap evenly */

static_assert(LINK_MESSAGE_MAX <= FRAME_PART_BYTES << REF_PART_BITS, "a part's number fits a ref");

static struct outgoing *slot_of(const struct outbox *o, uint32_t id) {
    return &o->slots[id & (o->capacity - 1u)];
}

static outbox_ref ref_make(uint32_t id, unsigned part) { return id << REF_PART_BITS | part; }

/* The open message that a ref names, or NULL where all of it is acknowledged. */
static struct outgoing *ref_find(struct outbox *o, outbox_ref ref, uint16_t *ret_bit) {
    uint32_t id = o->first + ((ref >> REF_PART_BITS) - o->first) % (1u << (32 - REF_PART_BITS));
    if (id - o->first >= o->next - o->first) return NULL;
    *ret_bit = (uint16_t)(1u << (ref & ((1u << REF_PART_BITS) - 1)));
    struct outgoing *m = slot_of(o, id);
    return m->data != NULL && m->unacked & *ret_bit ? m : NULL;
}

void outbox_init(struct outbox *o) { *o = (struct outbox){.first = 1, .next = 1}; }

void outbox_release(struct outbox *o) {
    for (uint32_t id = o->first; id != o->next; id++) free(slot_of(o, id)->data);
    free(o->slots);
    outbox_init(o);
}

/* Twice the slots, where those there are lie all between first and next. */
static int grow(struct outbox *o) {
    if (o->next - o->first < o->capacity) return 0;
    struct outbox grown = *o;
    grown.capacity = (uint16_t)(o->capacity ? 2 * o->capacity : CAPACITY_MIN);
    grown.slots = calloc(grown.capacity, sizeof *grown.slots);
    if (grown.slots == NULL) return ERR_MEMORY;
    for (uint32_t id = o->first; id != o->next; id++) *slot_of(&grown, id) = *slot_of(o, id);
    free(o->slots);
    *o = grown;
    return 0;
}

int outbox_add(struct outbox *o, const void *data, size_t len) {
    assert(len >= 1 && len <= LINK_MESSAGE_MAX);
    if (o->next - o->first >= LINK_MESSAGES_MAX || o->bytes + len > OUTBOX_BYTES_MAX)
        return ERR_FULL;
    uint8_t *copy = grow(o) ? NULL : malloc(len);
    if (copy == NULL) return ERR_MEMORY;
    memcpy(copy, data, len);
    bool is_parted = len > OUTBOX_SINGLE_MAX;
    size_t parts = is_parted ? (len + FRAME_PART_BYTES - 1) / FRAME_PART_BYTES : 1;
    uint16_t all = (uint16_t)((1u << parts) - 1);
    *slot_of(o, o->next++) = (struct outgoing){
        .data = copy, .len = (uint16_t)len, .waiting = all, .unacked = all, .is_parted = is_parted};
    o->bytes += (uint32_t)len;
    o->waiting++;
    return 0;
}

static bool may_send(const struct outbox *o, const struct outgoing *m) {
    if (m->data == NULL || m->waiting == 0) return false;
    return !m->is_parted || m->is_begun || o->parted < OUTBOX_PARTED_MAX;
}

bool outbox_is_due(const struct outbox *o) {
    if (o->waiting == 0) return false;
    for (uint32_t id = o->first; id != o->next; id++)
        if (may_send(o, slot_of(o, id))) return true;
    return false;
}

static void message_sent(struct outbox *o, struct outgoing *m, uint16_t bit) {
    m->waiting &= (uint16_t)~bit;
    if (m->waiting == 0) o->waiting--;
    if (m->is_parted && !m->is_begun) {
        m->is_begun = true;
        o->parted++;
    }
}

/* Returns whether the part was waiting and fitted. */
static bool write_part(struct outbox *o, struct writer *w, uint32_t id, unsigned part) {
    struct outgoing *m = slot_of(o, id);
    uint16_t bit = (uint16_t)(1u << part);
    if (!(m->waiting & bit)) return false;
    if (!m->is_parted) {
        if (writer_room(w) < FRAME_MESSAGE_HEADER + (size_t)m->len) return false;
        frame_write_message(w, id, m->data, m->len);
    } else {
        uint16_t offset = (uint16_t)(part * FRAME_PART_BYTES);
        uint16_t len = (uint16_t)size_min((size_t)m->len - offset, FRAME_PART_BYTES);
        if (writer_room(w) < FRAME_PART_HEADER + (size_t)len) return false;
        frame_write_part(w, id, m->len, offset, m->data + offset, len);
    }
    message_sent(o, m, bit);
    return true;
}

unsigned outbox_write(struct outbox *o, struct writer *w, outbox_ref *ret, unsigned max) {
    unsigned n = 0;
    for (uint32_t id = o->first; o->waiting > 0 && id != o->next; id++) {
        if (!may_send(o, slot_of(o, id))) continue;
        for (unsigned part = 0; part < 1u << REF_PART_BITS; part++) {
            if (n == max || writer_room(w) <= FRAME_MESSAGE_HEADER) return n;
            if (write_part(o, w, id, part)) ret[n++] = ref_make(id, part);
        }
    }
    return n;
}

void outbox_acked(struct outbox *o, outbox_ref ref) {
    uint16_t bit;
    struct outgoing *m = ref_find(o, ref, &bit);
    if (m == NULL) return;
    if (m->waiting & bit) {
        m->waiting &= (uint16_t)~bit;
        if (m->waiting == 0) o->waiting--;
    }
    m->unacked &= (uint16_t)~bit;
    if (m->unacked != 0) return;
    if (m->is_begun) o->parted--;
    o->bytes -= m->len;
    free(m->data);
    *m = (struct outgoing){0};
    while (o->first != o->next && slot_of(o, o->first)->data == NULL) o->first++;
    if (o->first != o->next) return;
    free(o->slots);
    o->slots = NULL;
    o->capacity = 0;
}

static void message_requeue(struct outbox *o, struct outgoing *m, uint16_t bits) {
    if (m->waiting == 0 && bits != 0) o->waiting++;
    m->waiting |= bits;
}

void outbox_requeue(struct outbox *o, outbox_ref ref) {
    uint16_t bit;
    struct outgoing *m = ref_find(o, ref, &bit);
    if (m != NULL) message_requeue(o, m, bit);
}

void outbox_requeue_all(struct outbox *o) {
    for (uint32_t id = o->first; id != o->next; id++) {
        struct outgoing *m = slot_of(o, id);
        if (m->data != NULL) message_requeue(o, m, m->unacked);
    }
}
