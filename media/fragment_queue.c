#include "media/fragment_queue.h"

#include <assert.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/base/err.h"

int fragment_queue_init(struct fragment_queue *q) {
    *q = (struct fragment_queue){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->changed, NULL);
    return q->fd < 0 ? ERR_SYSTEM : 0;
}

static struct fragment *take_first(struct fragment_queue *q) {
    if (q->len == 0) return NULL;
    struct fragment *f = q->fragments[q->first];
    q->first = (q->first + 1) % ARRAY_LEN(q->fragments);
    q->len--;
    q->bytes -= f->len;
    return f;
}

void fragment_queue_release(struct fragment_queue *q) {
    struct fragment *f;
    while ((f = take_first(q)) != NULL) fragment_unref(f);
    if (q->fd >= 0) close(q->fd);
    pthread_cond_destroy(&q->changed);
    pthread_mutex_destroy(&q->lock);
}

/* Makes the descriptor say what is so. With the lock held. */
static void tell(struct fragment_queue *q) {
    bool wanted = q->len > 0 || (q->closed && !q->close_told);
    uint64_t n = 1;
    /* Neither can fail: the counter is 0 or 1 and the descriptor ours. */
    if (wanted && !q->signalled) (void)!write(q->fd, &n, sizeof n);
    if (!wanted && q->signalled) (void)!read(q->fd, &n, sizeof n);
    q->signalled = wanted;
    pthread_cond_broadcast(&q->changed);
}

static bool fits(const struct fragment_queue *q, const struct fragment *f) {
    return f->end || (q->len < FRAGMENT_QUEUE_MAX && q->bytes + f->len <= FRAGMENT_QUEUE_BYTES_MAX);
}

static void drop(struct fragment_queue *q, struct fragment *f) {
    q->skipping[f->track] = true;
    q->dropped++;
    fragment_unref(f);
}

static void drop_all(struct fragment_queue *q) {
    struct fragment *kept[FRAGMENT_QUEUE_TRACKS];
    size_t kept_len = 0;
    struct fragment *f;
    while ((f = take_first(q)) != NULL) {
        if (f->end)
            kept[kept_len++] = f;
        else
            drop(q, f);
    }
    for (size_t i = 0; i < kept_len; i++)
        q->fragments[(q->first + q->len++) % ARRAY_LEN(q->fragments)] = kept[i];
}

void fragment_queue_push(struct fragment_queue *q, struct fragment *f, bool wait) {
    assert(f->track < FRAGMENT_QUEUE_TRACKS && f->len <= FRAGMENT_SIZE_MAX);
    pthread_mutex_lock(&q->lock);
    while (wait && !q->aborted && !fits(q, f)) pthread_cond_wait(&q->changed, &q->lock);
    if (!fits(q, f)) drop_all(q);
    if (q->skipping[f->track] && !f->random_access && !f->end) {
        drop(q, f);
    } else {
        f->discontinuity = q->skipping[f->track];
        q->skipping[f->track] = false;
        q->fragments[(q->first + q->len++) % ARRAY_LEN(q->fragments)] = f;
        q->bytes += f->len;
    }
    tell(q);
    pthread_mutex_unlock(&q->lock);
}

struct fragment *fragment_queue_pop(struct fragment_queue *q) {
    pthread_mutex_lock(&q->lock);
    struct fragment *f = take_first(q);
    if (f != NULL) tell(q);
    pthread_mutex_unlock(&q->lock);
    return f;
}

void fragment_queue_close(struct fragment_queue *q) {
    pthread_mutex_lock(&q->lock);
    q->closed = true;
    tell(q);
    pthread_mutex_unlock(&q->lock);
}

void fragment_queue_abort(struct fragment_queue *q) {
    pthread_mutex_lock(&q->lock);
    q->aborted = true;
    pthread_cond_broadcast(&q->changed);
    pthread_mutex_unlock(&q->lock);
}

bool fragment_queue_is_over(struct fragment_queue *q) {
    pthread_mutex_lock(&q->lock);
    bool over = q->closed && q->len == 0;
    if (over) {
        q->close_told = true;
        tell(q);
    }
    pthread_mutex_unlock(&q->lock);
    return over;
}

uint64_t fragment_queue_dropped(struct fragment_queue *q) {
    pthread_mutex_lock(&q->lock);
    uint64_t dropped = q->dropped;
    pthread_mutex_unlock(&q->lock);
    return dropped;
}
