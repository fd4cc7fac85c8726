/* noise_read of both roles. The first byte chooses the role, and whether the rest is a message or
 * is laid over the genuine one by exclusive or, which gets behind the checks that noise fails at.
 * Only the genuine message may be taken, and no other may change the state. */
#include "core/base/err.h"
#include "core/crypto/noise.h"
#include "tests/fuzz/fuzz.h"

#define MESSAGE_MAX 1500

enum { AS_INITIATOR = 1, OVER_GENUINE = 2 };

static const uint8_t payload[] = "the payload of a genuine message";

struct dial {
    struct noise initiator, responder;
    uint8_t first[MESSAGE_MAX], second[MESSAGE_MAX];
    size_t first_len, second_len;
};

static struct dh_key dh_key_of(uint8_t number) {
    struct dh_key key;
    uint8_t secret[NOISE_DH_BYTES] = {number};
    dh_key_from_secret(&key, secret);
    return key;
}

/* Both sides as they stand before they read their message: the responder in `responder`, the
 * initiator, who needs an answer to read, from a responder of its own. */
static void dial_begin(struct dial *d) {
    struct dh_key alice = dh_key_of(1), bob = dh_key_of(2), e1 = dh_key_of(3), e2 = dh_key_of(4);
    uint8_t got[MESSAGE_MAX];
    noise_init(&d->initiator, true, &alice, bob.public, NULL, 0);
    noise_init(&d->responder, false, &bob, NULL, NULL, 0);
    int len = noise_write(&d->initiator, &e1, payload, sizeof payload, d->first);
    assert(len > 0);
    d->first_len = (size_t)len;
    struct noise answering = d->responder;
    len = noise_read(&answering, d->first, d->first_len, got);
    assert(len == (int)sizeof payload);
    len = noise_write(&answering, &e2, payload, sizeof payload, d->second);
    assert(len > 0);
    d->second_len = (size_t)len;
}

static void try_read(struct noise *n, const uint8_t *message, size_t len, bool is_genuine) {
    static struct noise before;
    uint8_t got[MESSAGE_MAX];
    memcpy(&before, n, sizeof before);
    int err = noise_read(n, message, len, got);
    assert((err >= 0) == is_genuine);
    if (is_genuine)
        assert(err == (int)sizeof payload && memcmp(got, payload, sizeof payload) == 0);
    else
        assert(memcmp(&before, n, sizeof before) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct dial d;
    if (size < 1 || size > MESSAGE_MAX) return 0;
    fuzz_start();
    dial_begin(&d);
    uint8_t how = *data++;
    size--;
    struct noise *n = how & AS_INITIATOR ? &d.initiator : &d.responder;
    const uint8_t *genuine = how & AS_INITIATOR ? d.second : d.first;
    size_t genuine_len = how & AS_INITIATOR ? d.second_len : d.first_len;

    uint8_t message[MESSAGE_MAX];
    size_t len = how & OVER_GENUINE ? genuine_len : size;
    if (how & OVER_GENUINE) {
        memcpy(message, genuine, len);
        for (size_t i = 0; i < size_min(len, size); i++) message[i] ^= data[i];
    } else {
        memcpy(message, data, size);
    }
    bool is_genuine = len == genuine_len && memcmp(message, genuine, len) == 0;
    if (!is_genuine) try_read(n, message, len, false);
    try_read(n, genuine, genuine_len, true);
    return 0;
}
