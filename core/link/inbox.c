#include "core/link/inbox.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"

void inbox_init(struct inbox *b) { *b = (struct inbox){0}; }

void inbox_drop(struct inbox *b, struct assembly *a) {
    free(a->data);
    *a = (struct assembly){0};
    if (--b->assemblies_len > 0) return;
    free(b->assemblies);
    b->assemblies = NULL;
}

void inbox_release(struct inbox *b) {
    for (size_t i = 0; b->assemblies != NULL && i < OUTBOX_PARTED_MAX; i++)
        free(b->assemblies[i].data);
    free(b->assemblies);
    inbox_init(b);
}

static uint64_t bit_of(uint32_t id) { return 1ull << (id % 64); }
static uint64_t *word_of(struct inbox *b, uint32_t id) {
    return &b->delivered[id % LINK_MESSAGES_MAX / 64];
}

/* All of a sender's open ids lie within LINK_MESSAGES_MAX, and everything below them was
 * delivered: so an id that far below the highest is a repetition. */
static int id_check(struct inbox *b, uint32_t id) {
    uint32_t above = id - b->highest;
    if (above != 0 && above <= LINK_MESSAGES_MAX) return 0;
    uint32_t below = b->highest - id;
    if (below > INT32_MAX) return ERR_RANGE;
    if (below >= LINK_MESSAGES_MAX || *word_of(b, id) & bit_of(id)) return ERR_DUPLICATE;
    return id == 0 && b->highest < LINK_MESSAGES_MAX ? ERR_RANGE : 0;
}

static void id_raise(struct inbox *b, uint32_t id) {
    if (id - b->highest > LINK_MESSAGES_MAX) return; /* not above it */
    while (b->highest != id) {
        b->highest++;
        *word_of(b, b->highest) &= ~bit_of(b->highest);
    }
}

int inbox_take(struct inbox *b, uint32_t id) {
    int err = id_check(b, id);
    if (err) return err;
    id_raise(b, id);
    *word_of(b, id) |= bit_of(id);
    return 0;
}

static struct assembly *assembly_find(struct inbox *b, uint32_t id) {
    for (size_t i = 0; b->assemblies != NULL && i < OUTBOX_PARTED_MAX; i++)
        if (b->assemblies[i].data != NULL && b->assemblies[i].id == id) return &b->assemblies[i];
    return NULL;
}

static struct assembly *assembly_start(struct inbox *b, uint32_t id, uint16_t total, int *ret_err) {
    *ret_err = b->assemblies_len == OUTBOX_PARTED_MAX ? ERR_RANGE : ERR_MEMORY;
    if (b->assemblies_len == OUTBOX_PARTED_MAX) return NULL;
    if (b->assemblies == NULL) b->assemblies = calloc(OUTBOX_PARTED_MAX, sizeof *b->assemblies);
    uint8_t *data = b->assemblies == NULL ? NULL : malloc(total);
    if (data == NULL) return NULL;
    struct assembly *a = b->assemblies;
    while (a->data != NULL) a++;
    unsigned parts = (total + FRAME_PART_BYTES - 1u) / FRAME_PART_BYTES;
    *a = (struct assembly){
        .data = data, .id = id, .total = total, .missing = (uint16_t)((1u << parts) - 1)};
    b->assemblies_len++;
    *ret_err = 0;
    return a;
}

struct assembly *inbox_take_part(struct inbox *b, const struct frame *part, int *ret_err) {
    uint32_t id = part->message.id;
    *ret_err = id_check(b, id);
    if (*ret_err) return NULL;
    struct assembly *a = assembly_find(b, id);
    if (a == NULL) a = assembly_start(b, id, part->message.total, ret_err);
    if (a == NULL) return NULL;
    id_raise(b, id);
    uint16_t bit = (uint16_t)(1u << part->message.offset / FRAME_PART_BYTES);
    if (a->total != part->message.total)
        *ret_err = ERR_RANGE;
    else if (!(a->missing & bit))
        *ret_err = ERR_DUPLICATE;
    if (*ret_err) return NULL;
    memcpy(a->data + part->message.offset, part->message.data, part->message.len);
    a->missing &= (uint16_t)~bit;
    if (a->missing != 0) return NULL;
    *word_of(b, id) |= bit_of(id);
    return a;
}
