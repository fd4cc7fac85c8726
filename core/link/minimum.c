#include "core/link/minimum.h"

#define NOTHING INT32_MAX

void minimum_init(struct minimum *m, uint64_t now_us) {
    for (size_t i = 0; i < MINIMUM_SECONDS; i++) m->buckets[i] = NOTHING;
    m->second = (uint32_t)(now_us / US_PER_S);
}

static int32_t cut(int64_t value) {
    if (value < INT32_MIN) return INT32_MIN;
    return value < NOTHING ? (int32_t)value : NOTHING - 1;
}

void minimum_add(struct minimum *m, int64_t value, uint64_t now_us) {
    uint64_t second = now_us / US_PER_S;
    uint64_t step = u64_min(u64_sub(second, m->second), MINIMUM_SECONDS);
    for (uint64_t i = 0; i < step; i++) m->buckets[(second - i) % MINIMUM_SECONDS] = NOTHING;
    m->second = (uint32_t)u64_max(m->second, second);
    int32_t *bucket = &m->buckets[m->second % MINIMUM_SECONDS];
    if (cut(value) < *bucket) *bucket = cut(value);
}

int64_t minimum_get(const struct minimum *m, uint64_t now_us) {
    uint64_t age = u64_sub(now_us / US_PER_S, m->second);
    int32_t least = NOTHING;
    if (age == 0) { /* nearly always: all of them count, in whatever order */
        for (size_t i = 0; i < MINIMUM_SECONDS; i++)
            if (m->buckets[i] < least) least = m->buckets[i];
    }
    for (uint64_t i = 0; age > 0 && i + age < MINIMUM_SECONDS && i <= m->second; i++) {
        int32_t value = m->buckets[(m->second - i) % MINIMUM_SECONDS];
        if (value < least) least = value;
    }
    return least == NOTHING ? MINIMUM_NONE : least;
}
