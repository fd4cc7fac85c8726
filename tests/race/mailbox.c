/* Threads that post while the mailbox's owner takes, frees it and opens the next: for
 * ThreadSanitizer, which Criterion does not agree with. */
#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "dht/mailbox.h"

#define THREADS 3
#define BOXES 200
#define MAILS 50 /* taken of each box before it goes */

static _Atomic(void *) token;
static atomic_bool stop;

static void *post(void *arg) {
    (void)arg;
    while (!atomic_load(&stop)) {
        mailbox_post(atomic_load(&token), MAIL_VALUE, true, "value", 5);
        mailbox_post(atomic_load(&token), MAIL_GET_DONE, true, NULL, 0);
    }
    return NULL;
}

int main(void) {
    pthread_t threads[THREADS];
    struct mailbox *m = mailbox_new();
    assert(m != NULL);
    atomic_store(&token, mailbox_token(m, mailbox_next_op(m)));
    for (size_t i = 0; i < THREADS; i++) {
        int failed = pthread_create(&threads[i], NULL, post, NULL);
        assert(failed == 0);
    }
    for (int box = 0; box < BOXES; box++) {
        for (int taken = 0; taken < MAILS;) {
            struct pollfd fd = {.fd = mailbox_fd(m), .events = POLLIN};
            int ready = poll(&fd, 1, 60000);
            assert(ready == 1);
            struct mail *mail = mailbox_take(m);
            taken += mail != NULL;
            free(mail);
        }
        mailbox_free(m);
        m = mailbox_new();
        assert(m != NULL);
        atomic_store(&token, mailbox_token(m, mailbox_next_op(m)));
    }
    atomic_store(&stop, true);
    for (size_t i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    mailbox_free(m);
    printf("mailbox: %d boxes under %d threads\n", BOXES, THREADS);
    return 0;
}
