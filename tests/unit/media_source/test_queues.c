#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>

#include "media/fragment_queue.h"
#include "media/frame_queue.h"

static struct queued_frame frame(int64_t tick, unsigned repeats) {
    struct queued_frame f = {.frame = av_frame_alloc(), .tick = tick, .repeats = repeats};
    cr_assert_not_null(f.frame);
    return f;
}

Test(frame_queue, drops_the_oldest_and_counts_its_places) {
    struct frame_queue q;
    frame_queue_init(&q);
    for (int64_t i = 0; i < (int64_t)FRAME_QUEUE_MAX; i++) {
        struct queued_frame f = frame(i, 2);
        cr_assert_eq(frame_queue_push(&q, &f, false), 0);
    }
    struct queued_frame f = frame(100, 0);
    cr_assert_eq(frame_queue_push(&q, &f, false), 3);
    frame_queue_finish(&q);
    unsigned left = 0;
    for (; frame_queue_pop(&q, &f); left++) {
        cr_assert_eq(f.tick, left + 1 < FRAME_QUEUE_MAX ? (int64_t)left + 1 : 100);
        av_frame_free(&f.frame);
    }
    cr_assert_eq(left, FRAME_QUEUE_MAX);
    frame_queue_release(&q);
}

static void *push_one_more(void *opaque) {
    struct queued_frame f = frame(100, 0);
    cr_assert_eq(frame_queue_push(opaque, &f, true), 0);
    return NULL;
}

Test(frame_queue, waits_for_room_when_asked_to, .timeout = 60) {
    struct frame_queue q;
    frame_queue_init(&q);
    for (int64_t i = 0; i < (int64_t)FRAME_QUEUE_MAX; i++) {
        struct queued_frame f = frame(i, 0);
        cr_assert_eq(frame_queue_push(&q, &f, true), 0);
    }
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, push_one_more, &q), 0);
    for (int64_t i = 0; i <= (int64_t)FRAME_QUEUE_MAX; i++) {
        struct queued_frame f;
        cr_assert(frame_queue_pop(&q, &f));
        cr_assert_eq(f.tick, i < (int64_t)FRAME_QUEUE_MAX ? i : 100);
        av_frame_free(&f.frame);
    }
    pthread_join(thread, NULL);
    frame_queue_release(&q);
}

Test(frame_queue, gives_nothing_after_an_abort, .timeout = 60) {
    struct frame_queue q;
    frame_queue_init(&q);
    struct queued_frame f = frame(1, 0);
    cr_assert_eq(frame_queue_push(&q, &f, false), 0);
    frame_queue_abort(&q);
    cr_assert_not(frame_queue_pop(&q, &f));
    f = frame(2, 0);
    cr_assert_eq(frame_queue_push(&q, &f, true), 1);
    frame_queue_release(&q);
}

static struct fragment *fragment(uint8_t track, size_t len, bool random_access) {
    struct fragment *f = fragment_new(len);
    cr_assert_not_null(f);
    f->track = track;
    f->random_access = random_access;
    return f;
}

static bool readable(const struct fragment_queue *q) {
    struct pollfd p = {.fd = q->fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

Test(fragment_queue, is_readable_while_something_waits) {
    struct fragment_queue q;
    cr_assert_eq(fragment_queue_init(&q), 0);
    cr_assert_not(readable(&q));
    fragment_queue_push(&q, fragment(0, 10, true), false);
    fragment_queue_push(&q, fragment(1, 10, true), false);
    cr_assert(readable(&q));
    fragment_unref(fragment_queue_pop(&q));
    cr_assert(readable(&q));
    fragment_unref(fragment_queue_pop(&q));
    cr_assert_not(readable(&q));
    cr_assert_null(fragment_queue_pop(&q));

    cr_assert_not(fragment_queue_is_over(&q));
    fragment_queue_push(&q, fragment(0, 10, true), false);
    fragment_queue_close(&q);
    cr_assert_not(fragment_queue_is_over(&q), "one still waits");
    fragment_unref(fragment_queue_pop(&q));
    cr_assert(readable(&q), "the end is still to be told");
    cr_assert(fragment_queue_is_over(&q));
    cr_assert_not(readable(&q));
    cr_assert(fragment_queue_is_over(&q));
    fragment_queue_release(&q);
}

/* Takes all and counts it; the first of each track must say that something is missing. */
static unsigned take_after_drop(struct fragment_queue *q) {
    bool seen[FRAGMENT_QUEUE_TRACKS] = {false};
    unsigned n = 0;
    struct fragment *f;
    for (; (f = fragment_queue_pop(q)) != NULL; n++) {
        cr_assert_eq(f->discontinuity, !seen[f->track]);
        if (!seen[f->track] && !f->end) cr_assert(f->random_access);
        seen[f->track] = true;
        fragment_unref(f);
    }
    return n;
}

Test(fragment_queue, drops_up_to_a_random_access_point) {
    struct fragment_queue q;
    cr_assert_eq(fragment_queue_init(&q), 0);
    for (unsigned i = 0; i < FRAGMENT_QUEUE_MAX; i++)
        fragment_queue_push(&q, fragment(i % 4 == 3, 10, i % 4 == 3 || i == 0), false);
    cr_assert_eq(fragment_queue_dropped(&q), 0);
    fragment_queue_push(&q, fragment(0, 10, false), false);
    cr_assert_eq(fragment_queue_dropped(&q), FRAGMENT_QUEUE_MAX + 1);
    fragment_queue_push(&q, fragment(0, 10, false), false);
    fragment_queue_push(&q, fragment(1, 10, true), false);
    fragment_queue_push(&q, fragment(0, 10, true), false);
    fragment_queue_push(&q, fragment(0, 10, false), false);
    cr_assert_eq(take_after_drop(&q), 3);
    cr_assert_eq(fragment_queue_dropped(&q), FRAGMENT_QUEUE_MAX + 2);
    fragment_queue_release(&q);
}

Test(fragment_queue, is_bounded_by_bytes) {
    struct fragment_queue q;
    cr_assert_eq(fragment_queue_init(&q), 0);
    for (unsigned i = 0; i < 9; i++) {
        fragment_queue_push(&q, fragment(0, 1 << 20, true), false);
        cr_assert_leq(q.bytes, FRAGMENT_QUEUE_BYTES_MAX);
    }
    cr_assert_eq(fragment_queue_dropped(&q), 8);
    cr_assert_eq(take_after_drop(&q), 1);
    fragment_queue_release(&q);
}

Test(fragment_queue, never_drops_an_end) {
    struct fragment_queue q;
    cr_assert_eq(fragment_queue_init(&q), 0);
    struct fragment *end = fragment(1, 0, false);
    end->end = true;
    fragment_queue_push(&q, end, false);
    for (unsigned i = 0; i < FRAGMENT_QUEUE_MAX + 5; i++)
        fragment_queue_push(&q, fragment(0, 10, true), false);
    end = fragment(0, 0, false);
    end->end = true;
    fragment_queue_push(&q, end, false);
    unsigned ends = 0;
    struct fragment *f;
    for (; (f = fragment_queue_pop(&q)) != NULL; fragment_unref(f)) ends += f->end;
    cr_assert_eq(ends, 2);
    fragment_queue_release(&q);
}
