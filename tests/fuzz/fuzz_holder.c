/* Holder and entry records, chosen by the first byte. The input is a record without its signature;
 * keys, delegation and signature are put in here, so that they hide no field from the fuzzer. */
#include "core/proto/holder.h"
#include "core/proto/manifest.h"
#include "tests/fuzz/fuzz.h"

#define RECORD_MAX (ENTRY_SIZE_MAX - SIGNATURE_BYTES)

/* Where an entry's fields stand. */
enum { BROADCAST_AT = 1, KEY_AT = 9, EXPIRES_AT = 41, DELEGATION_AT = 49, ISSUED_AT = 113 };

static size_t sign_record(const char *context, const struct record_key *at,
                          const struct sign_key *signer, uint8_t *data, size_t size) {
    uint8_t text[RECORD_KEY_BYTES + RECORD_MAX];
    memcpy(text, at->bytes, RECORD_KEY_BYTES);
    memcpy(text + RECORD_KEY_BYTES, data, size);
    sign_message(signer, context, text, RECORD_KEY_BYTES + size, data + size);
    return size + SIGNATURE_BYTES;
}

static void try_holder(uint8_t *data, size_t size) {
    struct sign_key channel = fuzz_key(1), peer = fuzz_key(2);
    struct record_key at = holder_record_key(&channel.public, 1);
    uint8_t again[HOLDER_SIZE_MAX];
    struct holder h;
    if (size >= 1 + PUBLIC_KEY_BYTES) memcpy(data + 1, peer.public.bytes, PUBLIC_KEY_BYTES);
    size_t len = sign_record(HOLDER_CONTEXT, &at, &peer, data, size);
    if (holder_open(data, len, &at, &h) != 0) return;
    int again_len = holder_sign(&h, &at, &peer, again, sizeof again);
    assert(again_len == (int)len && memcmp(again, data, len) == 0);
}

static void try_entry(uint8_t *data, size_t size) {
    struct sign_key channel = fuzz_key(1), broadcast = fuzz_key(2);
    struct record_key at = entry_record_key(&channel.public);
    uint8_t again[ENTRY_SIZE_MAX];
    struct entry e;
    if (size >= ISSUED_AT) {
        struct reader id = reader_init(data + BROADCAST_AT, 8);
        struct reader expiry = reader_init(data + EXPIRES_AT, 8);
        memcpy(data + KEY_AT, broadcast.public.bytes, PUBLIC_KEY_BYTES);
        delegation_sign(&channel, read_u64(&id), &broadcast.public, read_u64(&expiry),
                        data + DELEGATION_AT);
    }
    size_t len = sign_record(ENTRY_CONTEXT, &at, &broadcast, data, size);
    if (entry_open(data, len, &channel.public, &e) != 0) return;
    int again_len = entry_sign(&e, &channel.public, &broadcast, again, sizeof again);
    assert(again_len == (int)len && memcmp(again, data, len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t record[ENTRY_SIZE_MAX];
    if (size < 1 || size - 1 > RECORD_MAX) return 0;
    fuzz_start();
    memcpy(record, data + 1, size - 1);
    if (data[0] % 2 == 0)
        try_holder(record, size - 1);
    else
        try_entry(record, size - 1);
    return 0;
}
