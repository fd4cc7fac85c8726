#include <criterion/criterion.h>
#include <string.h>

#include "core/base/err.h"
#include "core/link/inbox.h"

Test(inbox, delivers_each_id_once) {
    struct inbox b;
    inbox_init(&b);
    for (uint32_t id = 1; id < 2000; id++) {
        cr_assert_eq(inbox_take(&b, id), 0);
        cr_assert_eq(inbox_take(&b, id), ERR_DUPLICATE);
        if (id > 300) cr_assert_eq(inbox_take(&b, id - 290), ERR_DUPLICATE, "long ago");
    }
}

Test(inbox, takes_ids_in_any_order_within_their_window) {
    struct inbox b;
    inbox_init(&b);
    cr_assert_eq(inbox_take(&b, 256), 0);
    for (uint32_t id = 255; id > 0; id--) cr_assert_eq(inbox_take(&b, id), 0, "id %u", id);
    cr_assert_eq(inbox_take(&b, 513), ERR_RANGE, "257 above the highest");
    cr_assert_eq(inbox_take(&b, 512), 0);
    cr_assert_eq(inbox_take(&b, 0), ERR_DUPLICATE);
    cr_assert_eq(inbox_take(&b, UINT32_MAX / 2), ERR_RANGE);
}

Test(inbox, goes_on_where_ids_wrap_around) {
    struct inbox b;
    inbox_init(&b);
    b.highest = UINT32_MAX - 10;
    for (uint32_t i = 1; i < 400; i++) {
        cr_assert_eq(inbox_take(&b, UINT32_MAX - 10 + i), 0, "%u", i);
        cr_assert_eq(inbox_take(&b, UINT32_MAX - 10 + i), ERR_DUPLICATE);
    }
}

static struct frame part(uint32_t id, uint16_t total, uint16_t offset) {
    static const uint8_t data[FRAME_PART_BYTES];
    struct frame f = {.type = FRAME_MESSAGE_PART};
    f.message.id = id;
    f.message.total = total;
    f.message.offset = offset;
    f.message.data = data;
    f.message.len = (uint16_t)size_min((size_t)total - offset, FRAME_PART_BYTES);
    return f;
}

Test(inbox, refuses_parts_that_name_another_total) {
    struct inbox b;
    inbox_init(&b);
    int err;
    struct frame first = part(1, 2500, 0), other = part(1, 2600, 1000);
    cr_assert_null(inbox_take_part(&b, &first, &err));
    cr_assert_eq(err, 0);
    cr_assert_null(inbox_take_part(&b, &first, &err));
    cr_assert_eq(err, ERR_DUPLICATE);
    cr_assert_null(inbox_take_part(&b, &other, &err));
    cr_assert_eq(err, ERR_RANGE);
    inbox_release(&b);
}

Test(inbox, puts_together_at_most_eight_at_a_time) {
    struct inbox b;
    inbox_init(&b);
    int err;
    for (uint32_t id = 1; id <= OUTBOX_PARTED_MAX; id++) {
        struct frame f = part(id, 1500, 0);
        cr_assert_null(inbox_take_part(&b, &f, &err));
        cr_assert_eq(err, 0);
    }
    struct frame ninth = part(9, 1500, 0), rest = part(3, 1500, 1000);
    cr_assert_null(inbox_take_part(&b, &ninth, &err));
    cr_assert_eq(err, ERR_RANGE);
    struct assembly *whole = inbox_take_part(&b, &rest, &err);
    cr_assert_not_null(whole);
    cr_assert_eq(whole->total, 1500);
    inbox_drop(&b, whole);
    cr_assert_null(inbox_take_part(&b, &rest, &err));
    cr_assert_eq(err, ERR_DUPLICATE, "delivered once");
    cr_assert_null(inbox_take_part(&b, &ninth, &err));
    cr_assert_eq(err, 0, "and one place is free");
    inbox_release(&b);
}
