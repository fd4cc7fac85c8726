#include "dht/put_queue.h"

#include <criterion/criterion.h>

#include "core/base/err.h"

static const struct record_key key = {{1}};

Test(put_queue, forgets_a_record_that_was_not_put_in_its_time) {
    static struct put_queue q;
    cr_assert_eq(put_queue_deadline(&q), TIME_NEVER);
    cr_assert_eq(put_queue_add(&q, &key, "a", 1, 1000), 0);
    cr_assert_eq(put_queue_add(&q, &key, "b", 1, 5000), 0);
    cr_assert_eq(put_queue_deadline(&q), 1000 + DISCOVERY_PUT_US);
    put_queue_expire(&q, 1000 + DISCOVERY_PUT_US);
    cr_assert_eq(q.failed, 1);
    cr_assert_eq(put_queue_deadline(&q), 5000 + DISCOVERY_PUT_US);
}

Test(put_queue, has_room_again_after_a_record_has_left) {
    static struct put_queue q;
    for (uint64_t i = 0; i < DISCOVERY_PUTS_MAX; i++)
        cr_assert_eq(put_queue_add(&q, &key, "a", 1, i), 0);
    cr_assert_eq(put_queue_add(&q, &key, "a", 1, 0), ERR_FULL);
    put_queue_expire(&q, DISCOVERY_PUT_US);
    cr_assert_eq(put_queue_add(&q, &key, "a", 1, 9), 0);
    cr_assert_eq(q.added, DISCOVERY_PUTS_MAX + 1);
}

Test(put_queue, knows_only_the_operations_that_run) {
    static struct put_queue q;
    cr_assert_eq(put_queue_add(&q, &key, "a", 1, 0), 0);
    cr_assert_not(put_queue_done(&q, 0, true), "it waits");
    cr_assert_eq(q.ok, 0);
}
