#include "core/link/replay.h"

#include "core/base/err.h"

static uint64_t bit_of(uint64_t counter) { return 1ull << (counter % 64); }
static size_t word_of(uint64_t counter) { return counter / 64 % REPLAY_WORDS; }

int replay_check(const struct replay *r, uint64_t counter) {
    if (!r->has_any || counter > r->highest) return 0;
    if (r->highest - counter >= REPLAY_WINDOW) return ERR_STALE;
    return r->words[word_of(counter)] & bit_of(counter) ? ERR_REPLAY : 0;
}

void replay_note(struct replay *r, uint64_t counter) {
    if (!r->has_any) {
        *r = (struct replay){.highest = counter, .has_any = true};
    } else if (counter > r->highest) {
        uint64_t step = u64_min(counter / 64 - r->highest / 64, REPLAY_WORDS);
        for (uint64_t i = 1; i <= step; i++) r->words[(r->highest / 64 + i) % REPLAY_WORDS] = 0;
        r->highest = counter;
    }
    r->words[word_of(counter)] |= bit_of(counter);
}

uint64_t replay_least(const struct replay *r) { return u64_sub(r->highest + 1, REPLAY_WINDOW); }

uint64_t replay_run(const struct replay *r, uint64_t counter, bool is_seen) {
    uint64_t room = counter - replay_least(r) + 1, n = 0;
    while (n < room) {
        uint64_t word = r->words[word_of(counter - n)];
        unsigned left = (unsigned)((counter - n) % 64 + 1); /* of the word, this one included */
        word = (is_seen ? ~word : word) << (64 - left);
        unsigned same = word == 0 ? left : (unsigned)__builtin_clzll(word);
        n += u64_min(same, left);
        if (same < left) break;
    }
    return u64_min(n, room);
}
