#include "media/rate_meter.h"

#include <string.h>

void rate_meter_add(struct rate_meter *m, uint64_t time_us, size_t bytes) {
    uint64_t slot = time_us / RATE_METER_SLOT_US;
    if (m->seen++ == 0) m->first = m->slot = slot;
    if (slot > m->slot + RATE_METER_SLOTS) memset(m->bytes, 0, sizeof m->bytes);
    for (uint64_t s = u64_max(m->slot + 1, u64_sub(slot, RATE_METER_SLOTS)); s <= slot; s++)
        m->bytes[s % RATE_METER_SLOTS] = 0;
    m->slot = u64_max(m->slot, slot);
    m->bytes[slot % RATE_METER_SLOTS] += bytes;
}

uint32_t rate_meter_bps(const struct rate_meter *m) {
    uint64_t slots = u64_min(m->slot - m->first, RATE_METER_SLOTS - 1);
    if (slots == 0) return 0;
    uint64_t bytes = 0;
    for (uint64_t i = 1; i <= slots; i++) bytes += m->bytes[(m->slot - i) % RATE_METER_SLOTS];
    return (uint32_t)u64_min(bytes * 8 * US_PER_S / (slots * RATE_METER_SLOT_US), UINT32_MAX);
}
