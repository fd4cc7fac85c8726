/* Heads: the decoder, the verifier, and the signature behind the fields that the fuzzer made. */
#include "core/base/err.h"
#include "core/proto/head.h"
#include "tests/fuzz/fuzz.h"

static void try_signed(const struct head *decoded, const uint8_t *data, size_t size) {
    struct sign_key key = fuzz_key(1);
    struct head h = *decoded;
    uint8_t again[HEAD_SIZE_MAX];
    int len = head_sign(&h, &key, again, sizeof again);
    assert(len == (int)size);
    assert(memcmp(again, data, size - SIGNATURE_BYTES) == 0);
    int err = head_verify(again, size, &key.public);
    assert(err == 0);
    uint32_t tag = head_tag(again, size);
    assert(tag == head_tag(data, size));
}

static void try_cells(const struct head *h, const uint8_t *data, size_t size) {
    uint64_t total = 0, bits = 0;
    for (uint32_t i = 0; i < head_cells(h); i++) {
        total += head_cell_len(h, i);
        bits |= UINT64_C(1) << i;
    }
    assert(total == h->size && bits == head_all_cells(h));
    assert(head_check_cell(h, data[0], data, size_min(size, CELL_SIZE_MAX)) < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct sign_key key = fuzz_key(1);
    struct head h;
    fuzz_start();
    (void)head_tag(data, size);
    if (head_decode(data, size, &h) != 0) return 0;
    int err = head_verify(data, size, &key.public);
    assert(err == 0 || err == ERR_SIGNATURE);
    try_signed(&h, data, size);
    try_cells(&h, data, size);
    return 0;
}
