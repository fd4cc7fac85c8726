#include "core/swarm/sampler.h"

#include <criterion/criterion.h>
#include <string.h>

#include "core/base/err.h"

static struct sampler s;
static struct rng rng;

static void start(void) { rng = rng_init(1); }

static void end(void) { sampler_release(&s); }

TestSuite(sampler, .init = start, .fini = end);

static struct public_key key_of(uint32_t n) {
    struct public_key key = {{0}};
    memcpy(key.bytes, &n, sizeof n);
    return key;
}

static struct endpoint endpoint_of(uint16_t port) {
    struct endpoint e = {.ip = {[10] = 0xff, [11] = 0xff, 127, 0, 0, 1}, .port = port};
    return e;
}

static int add(uint32_t n, uint16_t port, enum candidate_origin origin) {
    struct public_key key = key_of(n);
    struct endpoint endpoint = endpoint_of(port);
    return sampler_add(&s, &rng, &key, &endpoint, origin);
}

static struct candidate *find(uint32_t n) {
    struct public_key key = key_of(n);
    return sampler_find(&s, &key);
}

static void fail(uint32_t n, uint64_t now_us) {
    struct public_key key = key_of(n);
    sampler_failed(&s, &key, now_us);
}

static size_t count(enum candidate_origin origin) {
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) n += s.candidates[i].origin == origin;
    return n;
}

Test(sampler, has_nobody_at_first) {
    cr_assert_null(find(1));
    cr_assert_null(sampler_next(&s, &rng, 0));
    fail(1, 0);
    cr_assert_eq(s.len, 0);
}

Test(sampler, keeps_a_peer_once) {
    cr_assert_eq(add(1, 7000, ORIGIN_NEIGHBOUR), 0);
    cr_assert_eq(add(1, 7000, ORIGIN_NEIGHBOUR), ERR_DUPLICATE);
    cr_assert_eq(s.len, 1);
    cr_assert_eq(find(1)->endpoints_len, 1);
}

Test(sampler, puts_the_newest_endpoint_first_and_keeps_four) {
    for (uint16_t port = 1; port <= 6; port++) (void)add(1, port, ORIGIN_RECORD);
    const struct candidate *c = find(1);
    cr_assert_eq(c->endpoints_len, HOLDER_ENDPOINTS_MAX);
    for (uint16_t i = 0; i < HOLDER_ENDPOINTS_MAX; i++) cr_assert_eq(c->endpoints[i].port, 6 - i);
    (void)add(1, 4, ORIGIN_RECORD);
    const uint16_t order[] = {4, 6, 5, 3};
    for (size_t i = 0; i < ARRAY_LEN(order); i++) cr_assert_eq(c->endpoints[i].port, order[i]);
    cr_assert_eq(c->endpoints_len, HOLDER_ENDPOINTS_MAX);
}

Test(sampler, believes_no_hearsay_about_where_a_signed_record_says_a_peer_is) {
    cr_assert_eq(add(1, 7000, ORIGIN_RECORD), 0);
    cr_assert_eq(add(1, 6666, ORIGIN_NEIGHBOUR), ERR_DUPLICATE);
    cr_assert_eq(add(1, 6666, ORIGIN_MEMORY), ERR_DUPLICATE);
    cr_assert_eq(find(1)->endpoints_len, 1);
    cr_assert_eq(find(1)->endpoints[0].port, 7000);
    cr_assert_eq(find(1)->origin, ORIGIN_RECORD);
}

Test(sampler, takes_a_better_origin_and_its_endpoint_first) {
    (void)add(1, 6666, ORIGIN_NEIGHBOUR);
    (void)add(1, 7000, ORIGIN_RECORD);
    cr_assert_eq(find(1)->origin, ORIGIN_RECORD);
    cr_assert_eq(find(1)->endpoints[0].port, 7000);
}

Test(sampler, cannot_be_made_to_forget_signed_records_by_junk) {
    for (uint32_t i = 0; i < CANDIDATES_MAX; i++) cr_assert_eq(add(i, 1, ORIGIN_RECORD), 0);
    for (uint32_t i = 0; i < 1000; i++) {
        cr_assert_eq(add(10000 + i, 1, ORIGIN_NEIGHBOUR), ERR_FULL);
        cr_assert_eq(add(20000 + i, 1, ORIGIN_MEMORY), ERR_FULL);
    }
    cr_assert_eq(count(ORIGIN_RECORD), CANDIDATES_MAX);
}

Test(sampler, gives_places_of_hearsay_to_signed_records) {
    for (uint32_t i = 0; i < CANDIDATES_MAX; i++) (void)add(i, 1, ORIGIN_NEIGHBOUR);
    for (uint32_t i = 0; i < 1000; i++) cr_assert_eq(add(5000 + i, 1, ORIGIN_NEIGHBOUR), 0);
    cr_assert_eq(s.len, CANDIDATES_MAX);
    for (uint32_t i = 0; i < 40; i++) cr_assert_eq(add(10000 + i, 1, ORIGIN_MEMORY), 0);
    cr_assert_eq(s.len, CANDIDATES_MAX);
    /* Memory may have displaced memory, never been displaced by hearsay. */
    size_t memory = count(ORIGIN_MEMORY);
    for (uint32_t i = 0; i < 1000; i++) (void)add(30000 + i, 1, ORIGIN_NEIGHBOUR);
    cr_assert_eq(count(ORIGIN_MEMORY), memory);
}

Test(sampler, keeps_whoever_is_linked) {
    for (uint32_t i = 0; i < CANDIDATES_MAX; i++) {
        (void)add(i, 1, ORIGIN_NEIGHBOUR);
        find(i)->is_linked = true;
    }
    cr_assert_eq(add(1000, 1, ORIGIN_RECORD), ERR_FULL);
    find(17)->is_linked = false;
    cr_assert_eq(add(1000, 1, ORIGIN_RECORD), 0);
    cr_assert_null(find(17));
}

Test(sampler, offers_better_origins_first_and_nobody_who_is_linked) {
    for (uint32_t i = 0; i < 20; i++) (void)add(i, 1, ORIGIN_NEIGHBOUR);
    (void)add(50, 1, ORIGIN_MEMORY);
    (void)add(60, 1, ORIGIN_RECORD);
    cr_assert_eq(sampler_next(&s, &rng, 0), find(60));
    find(60)->is_linked = true;
    cr_assert_eq(sampler_next(&s, &rng, 0), find(50));
    for (size_t i = 0; i < s.len; i++) s.candidates[i].is_linked = true;
    cr_assert_null(sampler_next(&s, &rng, 0));
}

Test(sampler, chooses_among_equals_at_random) {
    for (uint32_t i = 0; i < 8; i++) (void)add(i, 1, ORIGIN_NEIGHBOUR);
    uint8_t seen[8] = {0};
    for (unsigned i = 0; i < 400; i++) seen[sampler_next(&s, &rng, 0)->peer.bytes[0]] = 1;
    for (size_t i = 0; i < 8; i++) cr_assert(seen[i], "candidate %zu was never chosen", i);
}

Test(sampler, waits_longer_after_each_failure_and_gives_up_after_the_fourth) {
    (void)add(1, 1, ORIGIN_RECORD);
    uint64_t now_us = 1000;
    for (unsigned i = 1; i < CANDIDATE_FAILURES_MAX; i++) {
        cr_assert_eq(sampler_next(&s, &rng, now_us), find(1));
        find(1)->is_linked = true;
        fail(1, now_us);
        cr_assert_not(find(1)->is_linked);
        uint64_t until_us = now_us + (CANDIDATE_PAUSE_US << (i - 1));
        cr_assert_null(sampler_next(&s, &rng, until_us - 1));
        now_us = until_us;
    }
    fail(1, now_us);
    cr_assert_null(find(1));
    cr_assert_eq(s.len, 0);
}

Test(sampler, tries_every_endpoint_before_it_waits) {
    for (uint16_t port = 1; port <= 3; port++) (void)add(1, port, ORIGIN_RECORD);
    uint8_t tried = 0;
    for (unsigned i = 0; i < 3; i++) {
        const struct candidate *c = sampler_next(&s, &rng, 0);
        cr_assert_not_null(c);
        tried |= (uint8_t)(1 << c->endpoint_next % c->endpoints_len);
        fail(1, 0);
    }
    cr_assert_eq(tried, 7);
    cr_assert_null(sampler_next(&s, &rng, CANDIDATE_PAUSE_US - 1));
    cr_assert_not_null(sampler_next(&s, &rng, CANDIDATE_PAUSE_US));
}

Test(sampler, prefers_those_that_have_not_failed) {
    (void)add(1, 1, ORIGIN_RECORD);
    (void)add(2, 1, ORIGIN_NEIGHBOUR);
    fail(1, 0);
    cr_assert_eq(sampler_next(&s, &rng, 10 * US_PER_S), find(2));
}

Test(sampler, removes_one_and_keeps_the_others) {
    for (uint32_t i = 0; i < 5; i++) (void)add(i, (uint16_t)(i + 1), ORIGIN_MEMORY);
    for (uint32_t i = 0; i < 5; i += 2) {
        struct public_key key = key_of(i);
        sampler_remove(&s, &key);
        sampler_remove(&s, &key);
    }
    cr_assert_eq(s.len, 2);
    cr_assert_eq(find(1)->endpoints[0].port, 2);
    cr_assert_eq(find(3)->endpoints[0].port, 4);
}
