#include "core/io/resolve.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/base/err.h"

/* Shared by the resolver and the threads that look up for it; the last one frees it. */
struct answers {
    pthread_mutex_t lock;
    unsigned references;
    int eventfd;
    bool closed; /* the resolver is gone */
    struct answer *first;
};

struct answer {
    struct answer *next;
    struct answers *home;
    unsigned slot;
    uint64_t serial; /* of the question: its slot may have been given away meanwhile */
    size_t len;
    struct endpoint endpoints[LOOKUP_ENDPOINTS_MAX];
};

struct question {
    struct resolver *resolver;
    struct loop_timer *timer;
    uint64_t serial; /* 0: free */
    resolve_fn fn;
    void *ctx;
    char text[RESOLVE_TEXT_MAX];
};

struct resolver {
    struct resolver_config config;
    struct loop *loop;
    struct loop_watch *watch;
    struct answers *answers;
    uint64_t serial;
    struct question questions[RESOLVE_PENDING_MAX];
};

static struct answers *answers_new(void) {
    struct answers *a = calloc(1, sizeof *a);
    if (a == NULL) return NULL;
    a->references = 1;
    a->eventfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (a->eventfd >= 0 && pthread_mutex_init(&a->lock, NULL) == 0) return a;
    if (a->eventfd >= 0) close(a->eventfd);
    free(a);
    return NULL;
}

static void answers_free_list(struct answer *list) {
    while (list != NULL) {
        struct answer *next = list->next;
        free(list);
        list = next;
    }
}

/* Called with the lock held, which it releases. */
static void answers_unref(struct answers *a) {
    assert(a->references > 0);
    bool last = --a->references == 0;
    pthread_mutex_unlock(&a->lock);
    if (!last) return;
    answers_free_list(a->first);
    close(a->eventfd);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

/* On the thread of the lookup. */
static void answer_arrived(void *ctx, const struct endpoint *endpoints, size_t len) {
    struct answer *answer = ctx;
    struct answers *a = answer->home;
    answer->len = size_min(len, LOOKUP_ENDPOINTS_MAX);
    memcpy(answer->endpoints, endpoints, answer->len * sizeof *endpoints);
    pthread_mutex_lock(&a->lock);
    if (a->closed) {
        free(answer);
    } else {
        answer->next = a->first;
        a->first = answer;
        int failed = eventfd_write(a->eventfd, 1);
        assert(failed == 0);
    }
    answers_unref(a);
}

static void question_end(struct question *q, int err, const struct endpoint *endpoints,
                         size_t len) {
    q->serial = 0;
    loop_timer_at(q->timer, TIME_NEVER);
    char text[RESOLVE_TEXT_MAX]; /* the slot may be asked again from the callback */
    memcpy(text, q->text, sizeof text);
    q->fn(q->ctx, text, err, endpoints, len);
}

static void question_timed_out(void *ctx, uint64_t now_us) {
    (void)now_us;
    question_end(ctx, ERR_TIMEOUT, NULL, 0);
}

static void answers_ready(void *ctx, unsigned ready, uint64_t now_us) {
    (void)ready;
    (void)now_us;
    struct resolver *r = ctx;
    struct answers *a = r->answers;
    pthread_mutex_lock(&a->lock);
    eventfd_t count;
    (void)eventfd_read(a->eventfd, &count);
    struct answer *list = a->first;
    a->first = NULL;
    pthread_mutex_unlock(&a->lock);
    for (struct answer *answer = list; answer != NULL; answer = answer->next) {
        struct question *q = &r->questions[answer->slot];
        if (q->serial != answer->serial) continue; /* timed out before */
        question_end(q, answer->len > 0 ? 0 : ERR_NOT_FOUND, answer->endpoints, answer->len);
    }
    answers_free_list(list);
}

struct resolver *resolver_new(struct loop *loop, const struct resolver_config *config) {
    struct resolver *r = calloc(1, sizeof *r);
    if (r == NULL) return NULL;
    if (config != NULL) r->config = *config;
    if (r->config.time_us == 0) r->config.time_us = RESOLVE_TIME_US;
    if (r->config.lookup == NULL) r->config.lookup = lookup_start;
    r->loop = loop;
    r->answers = answers_new();
    if (r->answers == NULL) goto failed;
    r->watch = loop_watch_new(loop, r->answers->eventfd, answers_ready, r);
    if (r->watch == NULL) goto failed;
    for (size_t i = 0; i < RESOLVE_PENDING_MAX; i++) {
        struct question *q = &r->questions[i];
        q->resolver = r;
        q->timer = loop_timer_new(loop, question_timed_out, q);
        if (q->timer == NULL) goto failed;
    }
    loop_watch_want(r->watch, LOOP_READ);
    return r;
failed:
    resolver_free(r);
    return NULL;
}

void resolver_free(struct resolver *r) {
    if (r == NULL) return;
    for (size_t i = 0; i < RESOLVE_PENDING_MAX; i++) loop_timer_free(r->questions[i].timer);
    loop_watch_free(r->watch);
    if (r->answers != NULL) {
        pthread_mutex_lock(&r->answers->lock);
        r->answers->closed = true;
        answers_unref(r->answers);
    }
    free(r);
}

/* "host:port" with a host that is no number: a bare IPv6 address has more colons than one. */
static int host_split(const char *text, char host[LOOKUP_HOST_MAX], uint16_t *port) {
    const char *colon = strchr(text, ':');
    if (colon == NULL || colon == text || (size_t)(colon - text) >= LOOKUP_HOST_MAX)
        return ERR_FORMAT;
    char *end;
    if (colon[1] < '0' || colon[1] > '9') return ERR_FORMAT;
    unsigned long number = strtoul(colon + 1, &end, 10);
    if (*end != '\0' || number == 0 || number > UINT16_MAX) return ERR_FORMAT;
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';
    *port = (uint16_t)number;
    return 0;
}

static int lookup_ask(struct resolver *r, unsigned slot, const char *host, uint16_t port) {
    struct answer *answer = calloc(1, sizeof *answer);
    if (answer == NULL) return ERR_MEMORY;
    answer->home = r->answers;
    answer->slot = slot;
    answer->serial = r->serial + 1;
    pthread_mutex_lock(&r->answers->lock);
    r->answers->references++;
    pthread_mutex_unlock(&r->answers->lock);
    int err = r->config.lookup(host, port, answer_arrived, answer);
    if (!err) return 0;
    free(answer);
    pthread_mutex_lock(&r->answers->lock);
    answers_unref(r->answers);
    return err;
}

int resolver_ask(struct resolver *r, const char *text, resolve_fn fn, void *ctx) {
    struct endpoint numeric;
    if (endpoint_parse(text, &numeric) == 0) {
        if (numeric.port == 0) return ERR_FORMAT;
        fn(ctx, text, 0, &numeric, 1);
        return 0;
    }
    char host[LOOKUP_HOST_MAX];
    uint16_t port;
    if (strlen(text) >= RESOLVE_TEXT_MAX) return ERR_FORMAT;
    int err = host_split(text, host, &port);
    if (err) return err;
    unsigned slot = 0;
    while (slot < RESOLVE_PENDING_MAX && r->questions[slot].serial != 0) slot++;
    if (slot == RESOLVE_PENDING_MAX) return ERR_FULL;
    err = lookup_ask(r, slot, host, port);
    if (err) return err;
    struct question *q = &r->questions[slot];
    q->serial = ++r->serial;
    q->fn = fn;
    q->ctx = ctx;
    memcpy(q->text, text, strlen(text) + 1);
    loop_timer_at(q->timer, loop_refresh(r->loop) + r->config.time_us);
    return 0;
}
