#include "core/link/replay.h"

#include <stdlib.h>

#include "core/base/err.h"

static uint64_t bit_of(uint64_t counter) { return 1ull << (counter % 64); }
static size_t word_of(uint64_t counter) { return counter / 64 % REPLAY_WORDS; }

void replay_release(struct replay *r) {
    free(r->more);
    *r = (struct replay){0};
}

uint64_t replay_least(const struct replay *r) {
    if (r->more == NULL) return u64_sub(r->highest + 1, REPLAY_RECENT);
    return u64_max(r->more->least, u64_sub(r->highest + 1, REPLAY_WINDOW));
}

int replay_check(const struct replay *r, uint64_t counter) {
    if (!r->has_any || counter > r->highest) return 0;
    if (counter < replay_least(r)) return ERR_STALE;
    bool is_seen = r->more != NULL ? r->more->words[word_of(counter)] & bit_of(counter)
                                   : r->recent >> (r->highest - counter) & 1;
    return is_seen ? ERR_REPLAY : 0;
}

static void grow(struct replay *r) {
    struct replay_long *more = calloc(1, sizeof *more);
    if (more == NULL) return;
    more->least = replay_least(r);
    for (uint64_t c = more->least; c <= r->highest; c++)
        if (r->recent >> (r->highest - c) & 1) more->words[word_of(c)] |= bit_of(c);
    r->more = more;
}

/* The highest is in other 64 than before. */
static void judge(struct replay *r, uint64_t now_us) {
    bool is_busy = (uint32_t)now_us - r->block_us < REPLAY_BUSY_US;
    r->block_us = (uint32_t)now_us;
    if (is_busy && r->more == NULL) grow(r);
    if (is_busy) return;
    free(r->more);
    r->more = NULL;
}

static void raise(struct replay *r, uint64_t counter, uint64_t now_us) {
    uint64_t step = counter - r->highest, blocks = counter / 64 - r->highest / 64;
    for (uint64_t i = 1; r->more != NULL && i <= u64_min(blocks, REPLAY_WORDS); i++)
        r->more->words[(r->highest / 64 + i) % REPLAY_WORDS] = 0;
    r->recent = step < 64 ? r->recent << step : 0;
    r->highest = counter;
    if (blocks > 0) judge(r, now_us);
}

void replay_note(struct replay *r, uint64_t counter, uint64_t now_us) {
    if (!r->has_any) {
        r->highest = counter;
        r->block_us = (uint32_t)now_us;
        r->has_any = true;
    } else if (counter > r->highest) {
        raise(r, counter, now_us);
    }
    if (r->highest - counter < 64) r->recent |= 1ull << (r->highest - counter);
    if (r->more != NULL) r->more->words[word_of(counter)] |= bit_of(counter);
}

static uint64_t run_recent(const struct replay *r, uint64_t counter, bool is_seen) {
    uint64_t down = r->recent >> (r->highest - counter); /* bit i: counter - i */
    if (is_seen) down = ~down;
    return down == 0 ? 64 : (unsigned)__builtin_ctzll(down);
}

static uint64_t run_long(const struct replay *r, uint64_t counter, bool is_seen, uint64_t room) {
    uint64_t n = 0;
    while (n < room) {
        uint64_t word = r->more->words[word_of(counter - n)];
        unsigned left = (unsigned)((counter - n) % 64 + 1); /* of the word, this one included */
        word = (is_seen ? ~word : word) << (64 - left);
        unsigned same = word == 0 ? left : (unsigned)__builtin_clzll(word);
        n += u64_min(same, left);
        if (same < left) break;
    }
    return n;
}

uint64_t replay_run(const struct replay *r, uint64_t counter, bool is_seen) {
    uint64_t room = counter - replay_least(r) + 1;
    return u64_min(room, r->more == NULL ? run_recent(r, counter, is_seen)
                                         : run_long(r, counter, is_seen, room));
}
