#include "core/link/schedule.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

#include "core/base/err.h"

#define CAPACITY_MIN 4

void schedule_release(struct schedule *s) {
    free(s->heap);
    *s = (struct schedule){0};
}

int schedule_reserve(struct schedule *s, size_t dues) {
    if (dues <= s->capacity) return 0;
    size_t capacity = size_max(s->capacity, CAPACITY_MIN);
    while (capacity < dues) capacity *= 2;
    struct schedule_entry *heap = realloc(s->heap, capacity * sizeof *heap);
    if (heap == NULL) return ERR_MEMORY;
    s->heap = heap;
    s->capacity = (uint32_t)capacity;
    return 0;
}

/* Turns wrap: of two that wait at once the earlier is less than half of them behind. */
static bool is_before(const struct schedule_entry *a, const struct schedule_entry *b) {
    return a->at_us != b->at_us ? a->at_us < b->at_us : (int32_t)(a->turn - b->turn) < 0;
}

static void put(struct schedule *s, uint32_t place, struct schedule_entry e) {
    s->heap[place - 1] = e;
    e.due->place = place;
}

/* Moves `e` from a free place to where it belongs. */
static void sift(struct schedule *s, uint32_t place, struct schedule_entry e) {
    while (place > 1 && is_before(&e, &s->heap[place / 2 - 1])) {
        put(s, place, s->heap[place / 2 - 1]);
        place /= 2;
    }
    for (uint32_t child = 2 * place; child <= s->len; child = 2 * place) {
        if (child < s->len && is_before(&s->heap[child], &s->heap[child - 1])) child++;
        if (!is_before(&s->heap[child - 1], &e)) break;
        put(s, place, s->heap[child - 1]);
        place = child;
    }
    put(s, place, e);
}

static void take_out(struct schedule *s, struct due *d) {
    uint32_t place = d->place;
    d->place = 0;
    struct schedule_entry last = s->heap[--s->len];
    if (last.due != d) sift(s, place, last);
}

void schedule_set(struct schedule *s, struct due *d, uint64_t at_us) {
    if (at_us == TIME_NEVER) {
        if (d->place != 0) take_out(s, d);
        return;
    }
    if (schedule_time_of(s, d) == at_us) return;
    uint32_t place = d->place;
    if (place == 0) {
        assert(s->len < s->capacity);
        place = ++s->len;
    }
    sift(s, place, (struct schedule_entry){.at_us = at_us, .due = d, .turn = s->turns++});
}

struct due *schedule_first(const struct schedule *s) {
    return s->len == 0 ? NULL : s->heap[0].due;
}
