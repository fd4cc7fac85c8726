#include "core/io/resolve.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>

#include "core/base/err.h"

struct result {
    struct loop *loop;
    int calls, err;
    size_t len;
    struct endpoint first;
    char text[RESOLVE_TEXT_MAX];
};

static void note_result(void *ctx, const char *text, int err, const struct endpoint *endpoints,
                        size_t len) {
    struct result *r = ctx;
    r->calls++;
    r->err = err;
    r->len = len;
    if (len > 0) r->first = endpoints[0];
    strcpy(r->text, text);
    loop_stop(r->loop);
}

static void gave_up(void *ctx, uint64_t now_us) {
    (void)now_us;
    loop_stop(ctx);
    cr_assert_fail("no answer");
}

static void run(struct loop *loop) {
    struct loop_timer *deadline = loop_timer_new(loop, gave_up, loop);
    loop_timer_at(deadline, loop_refresh(loop) + 20 * US_PER_S);
    cr_assert_eq(loop_run(loop), 0);
    loop_timer_free(deadline);
}

Test(resolve, answers_numeric_addresses_at_once) {
    struct result result = {.loop = loop_new()};
    struct resolver *r = resolver_new(result.loop, NULL);
    cr_assert_eq(resolver_ask(r, "[2001:db8::1]:4222", note_result, &result), 0);
    cr_assert_eq(result.calls, 1);
    cr_assert_eq(result.first.port, 4222);
    resolver_free(r);
    loop_free(result.loop);
}

Test(resolve, finds_localhost_in_the_hosts_file) {
    struct result result = {.loop = loop_new()};
    struct resolver *r = resolver_new(result.loop, NULL);
    cr_assert_eq(resolver_ask(r, "localhost:4222", note_result, &result), 0);
    cr_assert_eq(result.calls, 0);
    run(result.loop);
    cr_assert_eq(result.calls, 1);
    cr_assert_eq(result.err, 0);
    cr_assert(endpoint_is_loopback(&result.first));
    cr_assert_eq(result.first.port, 4222);
    cr_assert_str_eq(result.text, "localhost:4222");
    resolver_free(r);
    loop_free(result.loop);
}

static int lookup_nothing(const char *host, uint16_t port, lookup_fn fn, void *ctx) {
    (void)host;
    (void)port;
    struct endpoint none = {.port = 0};
    fn(ctx, &none, 0);
    return 0;
}

Test(resolve, says_when_a_name_is_not_found) {
    struct result result = {.loop = loop_new()};
    struct resolver_config config = {.lookup = lookup_nothing};
    struct resolver *r = resolver_new(result.loop, &config);
    cr_assert_eq(resolver_ask(r, "nowhere.invalid:1", note_result, &result), 0);
    run(result.loop);
    cr_assert_eq(result.err, ERR_NOT_FOUND);
    resolver_free(r);
    loop_free(result.loop);
}

/* A name server that does not answer: the lookup returns when the test says so. */
static struct {
    sem_t release, released;
    lookup_fn fn;
    void *ctx[RESOLVE_PENDING_MAX];
    size_t len;
} silent;

static void *silent_answer(void *arg) {
    (void)arg;
    sem_wait(&silent.release);
    struct endpoint late = {.ip = {[15] = 1}, .port = 1};
    for (size_t i = 0; i < silent.len; i++) silent.fn(silent.ctx[i], &late, 1);
    sem_post(&silent.released);
    return NULL;
}

static int lookup_silent(const char *host, uint16_t port, lookup_fn fn, void *ctx) {
    (void)host;
    (void)port;
    silent.fn = fn;
    silent.ctx[silent.len++] = ctx;
    return 0;
}

static pthread_t silent_start(void) {
    pthread_t thread;
    silent.len = 0;
    sem_init(&silent.release, 0, 0);
    sem_init(&silent.released, 0, 0);
    cr_assert_eq(pthread_create(&thread, NULL, silent_answer, NULL), 0);
    return thread;
}

static void silent_end(pthread_t thread) {
    sem_post(&silent.release);
    pthread_join(thread, NULL);
}

Test(resolve, gives_up_after_its_time_and_ignores_the_late_answer) {
    struct result late = {.loop = loop_new()}, next = {.loop = late.loop};
    struct resolver_config config = {.lookup = lookup_silent, .time_us = 1000};
    pthread_t thread = silent_start();
    struct resolver *r = resolver_new(late.loop, &config);
    cr_assert_eq(resolver_ask(r, "slow.invalid:1", note_result, &late), 0);
    run(late.loop);
    cr_assert_eq(late.err, ERR_TIMEOUT);
    silent_end(thread);
    /* Its answer is there before the timeout of a question that took the same slot. */
    thread = silent_start();
    cr_assert_eq(resolver_ask(r, "slow.invalid:2", note_result, &next), 0);
    run(next.loop);
    cr_assert_eq(next.err, ERR_TIMEOUT);
    cr_assert_eq(late.calls, 1);
    silent_end(thread);
    resolver_free(r);
    loop_free(late.loop);
}

Test(resolve, refuses_questions_beyond_its_bound_and_lives_when_freed_before_the_answers) {
    struct result result = {.loop = loop_new()};
    struct resolver_config config = {.lookup = lookup_silent};
    pthread_t thread = silent_start();
    struct resolver *r = resolver_new(result.loop, &config);
    for (int i = 0; i < RESOLVE_PENDING_MAX; i++)
        cr_assert_eq(resolver_ask(r, "slow.invalid:1", note_result, &result), 0);
    cr_assert_eq(resolver_ask(r, "slow.invalid:1", note_result, &result), ERR_FULL);
    resolver_free(r);
    silent_end(thread);
    cr_assert_eq(result.calls, 0);
    loop_free(result.loop);
}

Test(resolve, refuses_what_is_no_host_and_port) {
    static const char *const bad[] = {
        "",           "host",  ":1",    "host:",   "host:0",     "host:1x",
        "host:70000", "::1:5", "h:1:2", "1.2.3.4", "127.0.0.1:0"};
    struct result result = {.loop = loop_new()};
    struct resolver *r = resolver_new(result.loop, NULL);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        cr_assert_eq(resolver_ask(r, bad[i], note_result, &result), ERR_FORMAT, "%s", bad[i]);
    cr_assert_eq(result.calls, 0);
    resolver_free(r);
    loop_free(result.loop);
}
