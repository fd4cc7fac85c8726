/* Manifests. The input is a manifest up to its delegation: delegation and signature are made here,
 * so that they hide no field from the fuzzer. */
#include "core/base/bytes.h"
#include "core/proto/manifest.h"
#include "tests/fuzz/fuzz.h"

#define TAIL_BYTES (2 * SIGNATURE_BYTES)

/* Appends a delegation for whatever the first fields say, and the signature. */
static size_t complete(const struct sign_key *channel, const uint8_t *data, size_t size,
                       uint8_t *ret) {
    struct public_key broadcast_key;
    struct reader r = reader_init(data, size);
    (void)read_u8(&r);
    uint64_t broadcast = read_u64(&r);
    (void)read_u32(&r);
    read_copy(&r, broadcast_key.bytes, PUBLIC_KEY_BYTES);
    uint64_t expires_s = read_u64(&r);
    memcpy(ret, data, size);
    delegation_sign(channel, broadcast, &broadcast_key, expires_s, ret + size);
    size += SIGNATURE_BYTES;
    sign_message(channel, MANIFEST_CONTEXT, ret, size, ret + size);
    return size + SIGNATURE_BYTES;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t completed[MANIFEST_SIZE_MAX], again[MANIFEST_SIZE_MAX];
    static struct manifest m;
    fuzz_start();
    struct sign_key channel = fuzz_key(1);
    int err = manifest_open(data, size, &channel.public, &m);
    assert(err <= 0);
    if (size > MANIFEST_SIZE_MAX - TAIL_BYTES) return 0;
    size_t len = complete(&channel, data, size, completed);
    if (manifest_open(completed, len, &channel.public, &m) != 0) return 0;
    assert(memchr(m.title, '\0', sizeof m.title) != NULL);
    int again_len = manifest_sign(&m, &channel, again, sizeof again);
    assert(again_len == (int)len && memcmp(again, completed, len) == 0);
    return 0;
}
