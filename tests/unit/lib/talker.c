#include "tests/unit/lib/talker.h"

#include <criterion/criterion.h>
#include <string.h>

void talker_receive(void *context, const struct datagram *d, uint64_t now_us) {
    struct talker *t = context;
    cr_assert_lt(t->seen, SEEN_MAX);
    t->numbers[t->seen] = d->len > 0 ? d->data[0] : 0;
    t->lens[t->seen] = d->len;
    t->at_us[t->seen++] = now_us;
}

void talker_expire(void *context, uint64_t now_us) {
    struct talker *t = context;
    cr_assert_geq(now_us, t->next_us);
    t->expired++;
    if (t->to_send == 0) t->next_us = TIME_NEVER;
}

uint64_t talker_deadline(void *context) {
    const struct talker *t = context;
    return t->every_us ? t->next_us : TIME_NEVER;
}

size_t talker_transmit(void *context, struct datagram *ret, uint64_t now_us) {
    struct talker *t = context;
    if (t->to_send == 0 || (t->every_us && now_us < t->next_us)) return 0;
    if (t->every_us) t->next_us = t->to_send > 1 ? t->next_us + t->every_us : TIME_NEVER;
    t->to_send--;
    memset(ret->data, t->number, t->len);
    ret->data[0] = t->number++;
    ret->peer = network_endpoint(t->n, t->to);
    return ret->len = t->len;
}

void talker_attach(struct talker *t, struct network *n, unsigned host) {
    *t = (struct talker){.n = n, .host = host, .len = 100};
    network_attach(
        n, host,
        &(struct network_host){t, talker_receive, talker_expire, talker_deadline, talker_transmit});
}

void talker_send(struct talker *t, unsigned to, unsigned datagrams, size_t len) {
    t->to = to;
    t->to_send = datagrams;
    t->len = len;
    network_wake(t->n, t->host);
}

void talker_send_every(struct talker *t, unsigned to, unsigned datagrams, uint64_t us) {
    t->every_us = us;
    t->next_us = network_now(t->n);
    talker_send(t, to, datagrams, 100);
}

struct talker talkers[TALKERS];

struct network *talking(uint64_t seed, const struct network_path *path) {
    struct network *n = network_new(seed, TALKERS, path);
    for (unsigned i = 0; i < TALKERS; i++) talker_attach(&talkers[i], n, i);
    return n;
}

struct network_counts counts_of(const struct network *n) {
    struct network_counts counts;
    network_counts(n, &counts);
    return counts;
}

void run_for(struct network *n, uint64_t us) {
    (void)network_run(n, network_now(n) + us, NULL, NULL);
}
