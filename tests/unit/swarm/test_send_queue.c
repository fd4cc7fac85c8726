#include "core/swarm/send_queue.h"

#include <criterion/criterion.h>

static struct send_queue q;

static void end(void) { send_queue_release(&q); }

TestSuite(send_queue, .fini = end);

static bool push(enum send_class class, uint32_t number) {
    return send_queue_push(&q, class, &(struct send_item){.number = number});
}

static uint32_t pop(enum send_class class) {
    uint32_t number = send_queue_peek(&q, class)->number;
    send_queue_pop(&q, class);
    return number;
}

Test(send_queue, is_empty_at_first) {
    for (enum send_class class = 0; class < SEND_CLASSES; class ++) {
        cr_assert_null(send_queue_peek(&q, class));
        cr_assert_eq(send_queue_len(&q, class), 0);
    }
    send_queue_clear(&q);
}

Test(send_queue, gives_back_in_order) {
    for (uint32_t i = 0; i < 1000; i++) cr_assert(push(SEND_FRESH, i));
    for (uint32_t i = 0; i < 1000; i++) cr_assert_eq(pop(SEND_FRESH), i);
    cr_assert_null(send_queue_peek(&q, SEND_FRESH));
}

Test(send_queue, keeps_order_while_it_grows_from_the_middle_of_its_ring) {
    uint32_t in = 0, out = 0;
    while (send_queue_len(&q, SEND_REPAIR) + 7 <= SEND_QUEUE_MAX) {
        for (unsigned i = 0; i < 7; i++) cr_assert(push(SEND_REPAIR, in++));
        for (unsigned i = 0; i < 5; i++) cr_assert_eq(pop(SEND_REPAIR), out++);
    }
    while (send_queue_len(&q, SEND_REPAIR) > 0) cr_assert_eq(pop(SEND_REPAIR), out++);
    cr_assert_eq(in, out);
}

Test(send_queue, drops_its_oldest_when_full_and_says_so) {
    for (uint32_t i = 0; i < SEND_QUEUE_MAX; i++) cr_assert(push(SEND_FRESH, i));
    for (uint32_t i = 0; i < 3; i++) cr_assert_not(push(SEND_FRESH, SEND_QUEUE_MAX + i));
    cr_assert_eq(send_queue_len(&q, SEND_FRESH), SEND_QUEUE_MAX);
    cr_assert_eq(q.rings[SEND_FRESH].capacity, SEND_QUEUE_MAX);
    for (uint32_t i = 3; i < SEND_QUEUE_MAX + 3; i++) cr_assert_eq(pop(SEND_FRESH), i);
}

Test(send_queue, has_room_for_each_class_of_its_own) {
    for (uint32_t i = 0; i < 2 * SEND_QUEUE_MAX; i++) (void)push(SEND_BACKLOG, i);
    cr_assert(push(SEND_FRESH, 7));
    cr_assert_eq(send_queue_len(&q, SEND_FRESH), 1);
    cr_assert_eq(send_queue_len(&q, SEND_REPAIR), 0);
    cr_assert_eq(pop(SEND_FRESH), 7);
}

Test(send_queue, can_be_used_again_when_cleared) {
    for (uint32_t i = 0; i < 100; i++) (void)push(SEND_FRESH, i);
    send_queue_clear(&q);
    cr_assert_null(send_queue_peek(&q, SEND_FRESH));
    cr_assert(push(SEND_FRESH, 5));
    cr_assert_eq(pop(SEND_FRESH), 5);
}

Test(send_queue, can_be_used_again_when_released) {
    (void)push(SEND_FRESH, 1);
    send_queue_release(&q);
    cr_assert_eq(send_queue_len(&q, SEND_FRESH), 0);
    cr_assert(push(SEND_FRESH, 2));
    cr_assert_eq(pop(SEND_FRESH), 2);
}
