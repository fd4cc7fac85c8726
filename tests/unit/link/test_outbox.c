#include <criterion/criterion.h>
#include <string.h>

#include "core/base/err.h"
#include "core/link/outbox.h"

#define ROOM 1175

/* Writes one datagram's worth; returns the number of frames. */
static unsigned write_once(struct outbox *o, outbox_ref refs[8]) {
    uint8_t data[ROOM];
    struct writer w = writer_init(data, sizeof data);
    unsigned n = outbox_write(o, &w, refs, 8);
    cr_assert_eq(w.err, 0);
    return n;
}

Test(outbox, sends_again_only_what_was_not_acknowledged) {
    struct outbox o;
    outbox_init(&o);
    outbox_ref refs[8], again[8];
    for (int i = 0; i < 3; i++) cr_assert_eq(outbox_add(&o, "abc", 3), 0);
    cr_assert_eq(write_once(&o, refs), 3);
    cr_assert_not(outbox_is_due(&o));
    outbox_acked(&o, refs[1]);
    for (int i = 0; i < 3; i++) outbox_requeue(&o, refs[i]);
    cr_assert_eq(write_once(&o, again), 2);
    cr_assert_eq(again[0], refs[0]);
    cr_assert_eq(again[1], refs[2]);
    outbox_acked(&o, refs[0]);
    outbox_acked(&o, refs[2]);
    outbox_requeue_all(&o);
    cr_assert_not(outbox_is_due(&o));
    cr_assert_eq(o.bytes, 0);
    outbox_release(&o);
}

Test(outbox, takes_an_old_reference_for_none_when_its_place_is_used_again) {
    struct outbox o;
    outbox_init(&o);
    outbox_ref refs[8], old;
    cr_assert_eq(outbox_add(&o, "a", 1), 0);
    cr_assert_eq(write_once(&o, refs), 1);
    old = refs[0];
    outbox_acked(&o, old);
    for (unsigned i = 0; i < LINK_MESSAGES_MAX; i++) {
        cr_assert_eq(outbox_add(&o, "b", 1), 0);
        cr_assert_eq(write_once(&o, refs), 1);
        if (i + 1 < LINK_MESSAGES_MAX) outbox_acked(&o, refs[0]);
    }
    outbox_requeue(&o, old);
    cr_assert_not(outbox_is_due(&o));
    outbox_acked(&o, old);
    cr_assert_eq(o.bytes, 1, "the last one is still open");
    outbox_release(&o);
}

Test(outbox, has_at_most_eight_messages_in_parts_under_way) {
    static const uint8_t large[LINK_MESSAGE_MAX];
    struct outbox o;
    outbox_init(&o);
    for (int i = 0; i < 12; i++) cr_assert_eq(outbox_add(&o, large, sizeof large), 0);
    outbox_ref refs[8], all[12 * 9];
    unsigned frames = 0;
    while (outbox_is_due(&o)) {
        unsigned n = write_once(&o, refs);
        cr_assert_geq(n, 1);
        memcpy(&all[frames], refs, n * sizeof refs[0]);
        frames += n;
    }
    cr_assert_eq(frames, 8 * 9);
    /* Id 1 in all of its parts. */
    for (unsigned i = 0; i < frames; i++)
        if (all[i] >> 4 == 1) outbox_acked(&o, all[i]);
    cr_assert(outbox_is_due(&o), "the ninth follows the first");
    outbox_release(&o);
}

Test(outbox, is_full_by_bytes_too) {
    static const uint8_t large[LINK_MESSAGE_MAX];
    struct outbox o;
    outbox_init(&o);
    for (size_t i = 0; i < OUTBOX_BYTES_MAX / LINK_MESSAGE_MAX; i++)
        cr_assert_eq(outbox_add(&o, large, sizeof large), 0);
    cr_assert_eq(outbox_add(&o, large, 1), ERR_FULL);
    outbox_release(&o);
}
