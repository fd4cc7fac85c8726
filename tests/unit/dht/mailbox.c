#include "dht/mailbox.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static bool is_readable(const struct mailbox *m) {
    struct pollfd fd = {.fd = mailbox_fd(m), .events = POLLIN};
    return poll(&fd, 1, 0) == 1;
}

Test(mailbox, hands_over_mail_in_order_and_is_readable_while_there_is_some) {
    struct mailbox *m = mailbox_new();
    cr_assert_not(is_readable(m));
    mailbox_post(mailbox_token(m, 7), MAIL_VALUE, true, "abc", 3);
    mailbox_post(mailbox_token(m, MAILBOX_OP_MAX), MAIL_GET_DONE, false, NULL, 0);
    cr_assert(is_readable(m));
    struct mail *first = mailbox_take(m);
    cr_assert_eq(first->op, 7);
    cr_assert_eq(first->kind, MAIL_VALUE);
    cr_assert_eq(first->len, 3);
    cr_assert_eq(memcmp(first->data, "abc", 3), 0);
    cr_assert(is_readable(m));
    struct mail *second = mailbox_take(m);
    cr_assert_eq(second->op, MAILBOX_OP_MAX);
    cr_assert_eq(second->kind, MAIL_GET_DONE);
    cr_assert_not(second->ok);
    cr_assert_not(is_readable(m));
    cr_assert_null(mailbox_take(m));
    free(first);
    free(second);
    mailbox_free(m);
}

Test(mailbox, counts_values_that_do_not_fit_and_still_takes_notices) {
    struct mailbox *m = mailbox_new();
    void *token = mailbox_token(m, 1);
    for (int i = 0; i < MAILBOX_VALUES_MAX + 10; i++) mailbox_post(token, MAIL_VALUE, true, "x", 1);
    cr_assert_eq(mailbox_dropped(m), 10);
    mailbox_post(token, MAIL_GET_DONE, true, NULL, 0);
    cr_assert_eq(mailbox_dropped(m), 10);
    size_t taken = 0;
    for (struct mail *mail; (mail = mailbox_take(m)) != NULL; taken++) free(mail);
    cr_assert_eq(taken, MAILBOX_VALUES_MAX + 1);
    mailbox_post(token, MAIL_VALUE, true, "x", 1);
    cr_assert(is_readable(m));
    mailbox_free(m);
}

Test(mailbox, bounds_the_bytes_of_its_values) {
    struct mailbox *m = mailbox_new();
    static uint8_t large[MAILBOX_BYTES_MAX / 4 + 1];
    for (int i = 0; i < 4; i++)
        mailbox_post(mailbox_token(m, 1), MAIL_VALUE, true, large, sizeof large);
    cr_assert_eq(mailbox_dropped(m), 1);
    mailbox_free(m);
}

Test(mailbox, ignores_tokens_of_a_mailbox_that_is_gone) {
    struct mailbox *gone = mailbox_new();
    void *token = mailbox_token(gone, 1);
    mailbox_free(gone);
    mailbox_post(token, MAIL_VALUE, true, "x", 1);
    struct mailbox *next = mailbox_new();
    mailbox_post(token, MAIL_VALUE, true, "x", 1);
    cr_assert_null(mailbox_take(next));
    mailbox_free(next);
}

Test(mailbox, is_refused_beyond_the_number_that_a_token_can_name) {
    struct mailbox *all[MAILBOXES_MAX];
    for (size_t i = 0; i < MAILBOXES_MAX; i++) cr_assert_not_null(all[i] = mailbox_new());
    cr_assert_null(mailbox_new());
    for (size_t i = 0; i < MAILBOXES_MAX; i++) mailbox_free(all[i]);
    struct mailbox *again = mailbox_new();
    cr_assert_not_null(again);
    mailbox_free(again);
}

static void *post_many(void *token) {
    for (int i = 0; i < 500; i++) mailbox_post(token, MAIL_VALUE, true, &i, sizeof i);
    return NULL;
}

Test(mailbox, takes_mail_from_several_threads) {
    struct mailbox *m = mailbox_new();
    pthread_t threads[4];
    for (uint32_t i = 0; i < 4; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, post_many, mailbox_token(m, i + 1)), 0);
    int next[5] = {0};
    for (int taken = 0; taken < 4 * 500;) {
        struct mail *mail = mailbox_take(m);
        if (mail == NULL) {
            struct pollfd fd = {.fd = mailbox_fd(m), .events = POLLIN};
            cr_assert_eq(poll(&fd, 1, 20000), 1);
            continue;
        }
        int number;
        memcpy(&number, mail->data, sizeof number);
        cr_assert_eq(number, next[mail->op]++);
        free(mail);
        taken++;
    }
    for (size_t i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    mailbox_free(m);
}
