#include "core/base/bytes.h"

#include <criterion/criterion.h>
#include <string.h>

#include "core/base/err.h"

Test(bytes, come_back_in_the_order_they_were_written) {
    uint8_t buffer[64], copy[3];
    struct writer w = writer_init(buffer, sizeof buffer);
    write_u8(&w, 0x01);
    write_u16(&w, 0x0203);
    write_u32(&w, 0x04050607);
    write_u64(&w, 0x08090a0b0c0d0e0f);
    write_bytes(&w, "abc", 3);
    write_zeros(&w, 2);
    cr_assert_eq(w.err, 0);
    cr_assert_eq(writer_len(&w), 20);
    cr_assert_eq(writer_room(&w), 44);

    struct reader r = reader_init(buffer, writer_len(&w));
    cr_assert_eq(read_u8(&r), 0x01);
    cr_assert_eq(read_u16(&r), 0x0203);
    cr_assert_eq(read_u32(&r), 0x04050607);
    cr_assert_eq(read_u64(&r), 0x08090a0b0c0d0e0f);
    read_copy(&r, copy, sizeof copy);
    cr_assert_arr_eq(copy, "abc", 3);
    cr_assert_eq(reader_left(&r), 2);
    cr_assert_arr_eq(read_view(&r, 2), "\0\0", 2);
    cr_assert_eq(reader_finish(&r), 0);
}

Test(bytes, are_big_endian) {
    uint8_t buffer[15];
    struct writer w = writer_init(buffer, sizeof buffer);
    write_u8(&w, 0x01);
    write_u16(&w, 0x0203);
    write_u32(&w, 0x04050607);
    write_u64(&w, 0x08090a0b0c0d0e0f);
    for (size_t i = 0; i < sizeof buffer; i++) cr_assert_eq(buffer[i], i + 1);
    cr_assert_eq(load_u32(buffer + 3), 0x04050607);
    store_u32(buffer, 0xfffefdfc);
    cr_assert_arr_eq(buffer, "\xff\xfe\xfd\xfc", 4);
}

Test(bytes, reader_keeps_its_first_error_and_gives_zeros_after_it) {
    uint8_t copy[2] = {7, 7};
    struct reader r = reader_init("\1\2\3", 3);
    cr_assert_eq(read_u16(&r), 0x0102);
    cr_assert_eq(read_u16(&r), 0);
    cr_assert_eq(r.err, ERR_TRUNCATED);
    reader_fail(&r, ERR_RANGE);
    cr_assert_eq(read_u8(&r), 0); /* the third byte is there, but the reader has failed */
    cr_assert_null(read_view(&r, 0));
    read_copy(&r, copy, sizeof copy);
    cr_assert_arr_eq(copy, "\0\0", 2);
    cr_assert_eq(reader_left(&r), 0);
    cr_assert_eq(reader_finish(&r), ERR_TRUNCATED);
}

Test(bytes, reader_names_what_is_left_over) {
    struct reader r = reader_init("\1\2", 2);
    (void)read_u8(&r);
    cr_assert_eq(reader_finish(&r), ERR_TRAILING);
}

Test(bytes, reader_of_nothing_reads_nothing) {
    struct reader r = reader_init(NULL, 0);
    cr_assert_eq(reader_left(&r), 0);
    cr_assert_eq(reader_finish(&r), 0);
    cr_assert_eq(read_u8(&r), 0);
    cr_assert_eq(reader_finish(&r), ERR_TRUNCATED);
}

Test(bytes, reader_is_not_fooled_by_a_huge_length) {
    struct reader r = reader_init("\1\2", 2);
    cr_assert_null(read_view(&r, SIZE_MAX));
    cr_assert_eq(r.err, ERR_TRUNCATED);
}

Test(bytes, writer_never_writes_behind_its_end) {
    uint8_t buffer[4] = {9, 9, 9, 9};
    struct writer w = writer_init(buffer, 3);
    write_u16(&w, 0x0102);
    write_u16(&w, 0x0304);
    cr_assert_eq(w.err, ERR_FULL);
    write_u8(&w, 5); /* there would be room, but the writer has failed */
    write_bytes(&w, "a", 1);
    write_zeros(&w, 1);
    cr_assert_null(write_space(&w, 0));
    cr_assert_eq(writer_len(&w), 2);
    cr_assert_eq(writer_room(&w), 0);
    cr_assert_arr_eq(buffer, "\1\2\x9\x9", 4);
}

Test(bytes, writer_keeps_its_first_error) {
    uint8_t buffer[1];
    struct writer w = writer_init(buffer, sizeof buffer);
    writer_fail(&w, ERR_RANGE);
    write_u32(&w, 1);
    cr_assert_eq(w.err, ERR_RANGE);
}

Test(bytes, writer_lends_space_to_fill) {
    uint8_t buffer[4] = {0};
    struct writer w = writer_init(buffer, sizeof buffer);
    write_u8(&w, 1);
    uint8_t *space = write_space(&w, 2);
    cr_assert_eq(space, buffer + 1);
    write_u8(&w, 4);
    memcpy(space, "\2\3", 2);
    cr_assert_arr_eq(buffer, "\1\2\3\4", 4);
    cr_assert_null(write_space(&w, 1));
}

Test(bytes, may_be_none_at_all) {
    uint8_t buffer[1];
    struct writer w = writer_init(buffer, 0);
    write_bytes(&w, NULL, 0);
    write_zeros(&w, 0);
    cr_assert_eq(w.err, 0);
    struct reader r = reader_init(buffer, 0);
    read_copy(&r, NULL, 0);
    cr_assert_eq(reader_finish(&r), 0);
}
