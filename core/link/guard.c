#include "core/link/guard.h"

#include <string.h>

#include "core/crypto/hash.h"

static void cookie_key(uint8_t ret[32], const struct public_key *responder) {
    hash_context(ret, 32, "shoal cookie", responder->bytes, sizeof responder->bytes);
}

static void mac_key(uint8_t ret[32], const struct public_key *receiver) {
    hash_context(ret, 32, "shoal mac1", receiver->bytes, sizeof receiver->bytes);
}

void guard_init(struct guard *g, const struct public_key *self, unsigned handshakes_per_s,
                struct random *random, uint64_t now_us) {
    unsigned proven_per_s = handshakes_per_s * GUARD_PROVEN_FACTOR;
    *g = (struct guard){.secret_since_us = now_us,
                        .unproven = rate_init(handshakes_per_s, handshakes_per_s),
                        .proven = rate_init(proven_per_s, proven_per_s)};
    mac_key(g->mac_key, self);
    cookie_key(g->cookie_key, self);
    random_bytes(random, g->secrets, sizeof g->secrets);
}

static void secret_renew(struct guard *g, struct random *random, uint64_t now_us) {
    uint64_t age_us = now_us - g->secret_since_us;
    if (age_us < GUARD_SECRET_US) return;
    memcpy(g->secrets[1], g->secrets[0], sizeof g->secrets[0]);
    if (age_us >= 2 * GUARD_SECRET_US) random_bytes(random, g->secrets[1], sizeof g->secrets[1]);
    random_bytes(random, g->secrets[0], sizeof g->secrets[0]);
    g->secret_since_us = now_us;
}

static void cookie_of(const uint8_t secret[32], const struct endpoint *e,
                      uint8_t ret[COOKIE_BYTES]) {
    uint8_t wire[ENDPOINT_WIRE];
    struct writer w = writer_init(wire, sizeof wire);
    endpoint_write(&w, e);
    hash_mac(ret, secret, wire, sizeof wire);
}

/* mac2 over everything before it, under the cookie and 16 zero bytes. */
static void mac2_of(uint8_t ret[PACKET_MAC_BYTES], const uint8_t cookie[COOKIE_BYTES],
                    const uint8_t *data, size_t len) {
    uint8_t key[32] = {0};
    memcpy(key, cookie, COOKIE_BYTES);
    hash_mac(ret, key, data, len - PACKET_MAC_BYTES);
}

static bool mac2_is_valid(const struct guard *g, const struct datagram *d) {
    for (size_t i = 0; i < ARRAY_LEN(g->secrets); i++) {
        uint8_t cookie[COOKIE_BYTES], mac[PACKET_MAC_BYTES];
        cookie_of(g->secrets[i], &d->peer, cookie);
        mac2_of(mac, cookie, d->data, d->len);
        if (hash_equal(mac, d->data + d->len - PACKET_MAC_BYTES, sizeof mac)) return true;
    }
    return false;
}

bool guard_mac1_is_valid(const uint8_t key[32], const uint8_t *data, size_t len) {
    uint8_t mac[PACKET_MAC_BYTES];
    hash_mac(mac, key, data, len - PACKET_MACS_BYTES);
    return hash_equal(mac, data + len - PACKET_MACS_BYTES, sizeof mac);
}

enum guard_verdict guard_check(struct guard *g, const struct datagram *d, struct random *random,
                               uint64_t now_us) {
    static const uint8_t none[PACKET_MAC_BYTES];
    if (!guard_mac1_is_valid(g->mac_key, d->data, d->len)) return GUARD_REFUSE;
    secret_renew(g, random, now_us);
    if (memcmp(d->data + d->len - PACKET_MAC_BYTES, none, sizeof none) == 0)
        return rate_take(&g->unproven, now_us) ? GUARD_PASS : GUARD_COOKIE;
    if (!mac2_is_valid(g, d)) return GUARD_COOKIE;
    return rate_take(&g->proven, now_us) ? GUARD_PASS : GUARD_OVERRUN;
}

void guard_write_cookie(const struct guard *g, const struct datagram *d, struct random *random,
                        uint8_t ret[PACKET_COOKIE_SIZE]) {
    uint8_t cookie[COOKIE_BYTES];
    cookie_of(g->secrets[0], &d->peer, cookie);
    ret[0] = PACKET_COOKIE;
    memcpy(ret + 1, d->data + 2, 4); /* the sender's index */
    random_bytes(random, ret + 5, COOKIE_NONCE_BYTES);
    cookie_seal(ret + 5 + COOKIE_NONCE_BYTES, cookie, g->cookie_key, ret + 5,
                d->data + d->len - PACKET_MACS_BYTES, PACKET_MAC_BYTES);
}

void guard_sign(uint8_t *data, size_t len, const struct public_key *receiver,
                const uint8_t cookie[COOKIE_BYTES]) {
    uint8_t key[32];
    mac_key(key, receiver);
    hash_mac(data + len - PACKET_MACS_BYTES, key, data, len - PACKET_MACS_BYTES);
    memset(data + len - PACKET_MAC_BYTES, 0, PACKET_MAC_BYTES);
    if (cookie != NULL) mac2_of(data + len - PACKET_MAC_BYTES, cookie, data, len);
}

int guard_read_cookie(const uint8_t data[PACKET_COOKIE_SIZE], const struct public_key *responder,
                      const uint8_t mac1[PACKET_MAC_BYTES], uint8_t ret[COOKIE_BYTES]) {
    uint8_t key[32];
    cookie_key(key, responder);
    return cookie_unseal(ret, data + 5 + COOKIE_NONCE_BYTES, key, data + 5, mac1, PACKET_MAC_BYTES);
}
