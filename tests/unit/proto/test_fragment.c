#include "core/proto/fragment.h"

#include <criterion/criterion.h>
#include <pthread.h>

Test(fragment, starts_empty_with_one_reference) {
    struct fragment *f = fragment_new(100);
    cr_assert_not_null(f);
    cr_assert_eq(atomic_load(&f->references), 1);
    cr_assert_eq(f->len, 100);
    for (size_t i = 0; i < f->len; i++) cr_assert_eq(f->data[i], 0);
    cr_assert_eq(f->track, 0);
    cr_assert_not(f->end);
    fragment_unref(f);
}

Test(fragment, may_have_no_payload_or_the_largest_and_not_more) {
    struct fragment *empty = fragment_new(0), *large = fragment_new(FRAGMENT_SIZE_MAX);
    cr_assert_not_null(empty);
    cr_assert_not_null(large);
    large->data[FRAGMENT_SIZE_MAX - 1] = 1;
    fragment_unref(empty);
    fragment_unref(large);
    cr_assert_null(fragment_new(FRAGMENT_SIZE_MAX + 1));
    cr_assert_null(fragment_new(SIZE_MAX));
}

Test(fragment, lives_until_its_last_reference_goes) {
    struct fragment *f = fragment_new(1);
    cr_assert_eq(fragment_ref(f), f);
    fragment_unref(f);
    cr_assert_eq(atomic_load(&f->references), 1);
    fragment_unref(f);
    fragment_unref(NULL);
}

static void *take_and_give_back(void *data) {
    for (int i = 0; i < 100000; i++) {
        fragment_ref(data);
        fragment_unref(data);
    }
    return NULL;
}

Test(fragment, counts_right_from_several_threads) {
    struct fragment *f = fragment_new(1);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, take_and_give_back, f), 0);
    for (int i = 0; i < 4; i++) cr_assert_eq(pthread_join(threads[i], NULL), 0);
    cr_assert_eq(atomic_load(&f->references), 1);
    fragment_unref(f);
}
