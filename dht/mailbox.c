#include "dht/mailbox.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define OP_BITS 18
#define SLOT_BITS 6
#define GENERATION_MASK 0xffu
static_assert(MAILBOXES_MAX == 1 << SLOT_BITS, "a token holds the number of every mailbox");
static_assert(MAILBOX_OP_MAX == (1u << OP_BITS) - 1, "a token holds every operation");
static_assert(sizeof(uintptr_t) >= 4, "a token travels as a pointer");

struct mailbox {
    unsigned slot;
    uint32_t last_op;
    int eventfd;
    struct mail *first, **last;
    size_t values, notices, bytes;
    uint64_t dropped;
};

/* The lock also guards what is in the boxes: callbacks are rare and short. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    struct mailbox *box; /* NULL: free */
    unsigned generation; /* counts its users, so that an old token fits no new box */
} registry[MAILBOXES_MAX];

static bool registry_add(struct mailbox *m) {
    pthread_mutex_lock(&lock);
    unsigned slot = 0;
    while (slot < MAILBOXES_MAX && registry[slot].box != NULL) slot++;
    if (slot < MAILBOXES_MAX) {
        m->slot = slot;
        registry[slot].box = m;
    }
    pthread_mutex_unlock(&lock);
    return slot < MAILBOXES_MAX;
}

struct mailbox *mailbox_new(void) {
    struct mailbox *m = calloc(1, sizeof *m);
    if (m == NULL) return NULL;
    m->last = &m->first;
    m->eventfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (m->eventfd >= 0 && registry_add(m)) return m;
    if (m->eventfd >= 0) close(m->eventfd);
    free(m);
    return NULL;
}

void mailbox_free(struct mailbox *m) {
    if (m == NULL) return;
    pthread_mutex_lock(&lock);
    registry[m->slot].box = NULL;
    registry[m->slot].generation = (registry[m->slot].generation + 1) & GENERATION_MASK;
    pthread_mutex_unlock(&lock);
    while (m->first != NULL) {
        struct mail *next = m->first->next;
        free(m->first);
        m->first = next;
    }
    close(m->eventfd);
    free(m);
}

int mailbox_fd(const struct mailbox *m) { return m->eventfd; }

uint32_t mailbox_next_op(struct mailbox *m) {
    m->last_op = m->last_op == MAILBOX_OP_MAX ? 1 : m->last_op + 1;
    return m->last_op;
}

void *mailbox_token(const struct mailbox *m, uint32_t op) {
    assert(op > 0 && op <= MAILBOX_OP_MAX);
    uint32_t generation = registry[m->slot].generation; /* changes only when the box is freed */
    uint32_t token = generation << (OP_BITS + SLOT_BITS) | m->slot << OP_BITS | op;
    return (void *)(uintptr_t)token;
}

static bool has_room(const struct mailbox *m, enum mail_kind kind, size_t len) {
    if (kind != MAIL_VALUE) return m->notices < MAILBOX_NOTICES_MAX;
    return m->values < MAILBOX_VALUES_MAX && len <= MAILBOX_BYTES_MAX - m->bytes;
}

static void append(struct mailbox *m, struct mail *mail) {
    *m->last = mail;
    m->last = &mail->next;
    *(mail->kind == MAIL_VALUE ? &m->values : &m->notices) += 1;
    if (mail->kind == MAIL_VALUE) m->bytes += mail->len;
    int failed = eventfd_write(m->eventfd, 1);
    assert(failed == 0 || errno == EAGAIN); /* a counter at its end is readable all the same */
}

void mailbox_post(void *token, enum mail_kind kind, bool ok, const void *data, size_t len) {
    uint32_t number = (uint32_t)(uintptr_t)token;
    unsigned slot = number >> OP_BITS & (MAILBOXES_MAX - 1);
    unsigned generation = number >> (OP_BITS + SLOT_BITS);
    pthread_mutex_lock(&lock);
    struct mailbox *m = registry[slot].box;
    if (m == NULL || registry[slot].generation != generation) goto out;
    struct mail *mail = has_room(m, kind, len) ? malloc(sizeof *mail + len) : NULL;
    if (mail == NULL) {
        m->dropped++;
        goto out;
    }
    *mail = (struct mail){.op = number & MAILBOX_OP_MAX, .kind = kind, .ok = ok, .len = len};
    if (len > 0) memcpy(mail->data, data, len);
    append(m, mail);
out:
    pthread_mutex_unlock(&lock);
}

struct mail *mailbox_take(struct mailbox *m) {
    pthread_mutex_lock(&lock);
    struct mail *mail = m->first;
    if (mail != NULL) {
        m->first = mail->next;
        if (m->first == NULL) m->last = &m->first;
        *(mail->kind == MAIL_VALUE ? &m->values : &m->notices) -= 1;
        if (mail->kind == MAIL_VALUE) m->bytes -= mail->len;
    }
    eventfd_t count;
    if (m->first == NULL) (void)eventfd_read(m->eventfd, &count); /* it may be 0 already */
    pthread_mutex_unlock(&lock);
    return mail;
}

uint64_t mailbox_dropped(struct mailbox *m) {
    pthread_mutex_lock(&lock);
    uint64_t dropped = m->dropped;
    pthread_mutex_unlock(&lock);
    return dropped;
}
