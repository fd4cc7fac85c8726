/* fuzz.h - what the fuzz targets share: each file is one target for libFuzzer.
 *
 * A target feeds a decoder, and where it takes the bytes, encodes again and insists on the same
 * bytes: there is one encoding of everything. A failed assert is a finding. */
#ifndef FUZZ_H
#define FUZZ_H

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/base.h"
#include "core/crypto/random.h"
#include "core/crypto/sign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void fuzz_start(void) {
    int err = random_start();
    assert(err == 0);
}

/* A key that is always the same for the same number. */
static inline struct sign_key fuzz_key(uint8_t number) {
    struct sign_key key;
    uint8_t seed[SIGN_SEED_BYTES] = {number};
    sign_key_from_seed(&key, seed);
    return key;
}

#endif
