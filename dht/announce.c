/* announce.c - our own records: signed here, put as they are. */
#include "dht/driver.h"

int discovery_announce_holder(struct discovery *d, const struct public_key *channel, uint64_t epoch,
                              const struct holder *holder, const struct sign_key *peer_key) {
    uint8_t record[HOLDER_SIZE_MAX];
    struct record_key key = holder_record_key(channel, epoch);
    int len = holder_sign(holder, &key, peer_key, record, sizeof record);
    return len < 0 ? len : discovery_put(d, &key, record, (size_t)len);
}

int discovery_announce_entry(struct discovery *d, const struct public_key *channel,
                             const struct entry *entry, const struct sign_key *broadcast_key) {
    uint8_t record[ENTRY_SIZE_MAX];
    struct record_key key = entry_record_key(channel);
    int len = entry_sign(entry, channel, broadcast_key, record, sizeof record);
    return len < 0 ? len : discovery_put(d, &key, record, (size_t)len);
}
