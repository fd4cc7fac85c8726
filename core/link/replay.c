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
