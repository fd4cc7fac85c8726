/* What the simulator's tags save, and whether they charge the right price: each wrapped function
 * with real cryptography and with tags, and what tags.c says that the real one costs. Nanoseconds
 * of processor time a call. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/crypto/cookie.h"
#include "core/crypto/hash.h"
#include "core/crypto/noise.h"
#include "core/crypto/read_key.h"
#include "tests/sim/tags.h"

#define CELL 1120
#define HEAD 160 /* of three cells */
#define LONG 4096
#define LEAST_S 0.05

static struct seal_key key;
static struct sign_key signer;
static struct dh_key dh, ephemeral;
static struct noise first, second, done;
static struct random randomness;
static uint8_t text[LONG + 64], out[LONG + 256], signature[SIGNATURE_BYTES];
static uint8_t message[2 * CELL];
static int message_len;

static void must(bool holds, const char *what) {
    if (holds) return;
    fprintf(stderr, "bench_tags: %s\n", what);
    exit(1);
}

/* Everything that a call needs, made anew in each mode. */
static void prepare(void) {
    randomness = random_from_seed((const uint8_t[RANDOM_SEED_BYTES]){1});
    random_bytes(&randomness, text, sizeof text);
    random_bytes(&randomness, key.key, sizeof key.key);
    sign_key_generate(&signer, &randomness);
    sign_message(&signer, "bench", text, HEAD, signature);
    dh_key_from_sign_key(&dh, &signer);
    dh_key_from_secret(&ephemeral, text);
    noise_init(&first, true, &dh, dh.public, text, 60);
    noise_init(&second, false, &dh, NULL, text, 60);
    done = first;
    message_len = noise_write(&done, &ephemeral, text, CELL, message);
    must(message_len > 0, "the handshake is not written");
}

/* One cell's way: sealed, opened, checked. */
static void run_cell(void) {
    uint8_t hash[HASH_CELL_BYTES];
    seal(&key, 7, text, 9, text, CELL, out);
    must(unseal(&key, 7, text, 9, out, CELL + NOISE_TAG_BYTES, out) == CELL, "does not open");
    hash_cell(hash, out, CELL);
}

static void run_seal(void) { seal(&key, 7, text, 9, text, CELL, out); }
static void run_seal_short(void) { seal(&key, 7, text, 9, text, 48, out); }
static void run_rekey(void) { seal_rekey(&key); }
static void run_hash_cell(void) { hash_cell(out, text, CELL); }
static void run_hash_context(void) { hash_context(out, 16, "bench", text, HEAD); }
static void run_hash_mac(void) { hash_mac(out, key.key, text, CELL); }
static void run_random(void) { random_bytes(&randomness, out, 32); }
static void run_sign(void) { sign_message(&signer, "bench", text, HEAD, out); }
static void run_sign_long(void) { sign_message(&signer, "bench", text, LONG, out); }

static void run_verify(void) {
    must(sign_verify(&signer.public, "bench", text, HEAD, signature) == 0, "does not verify");
}

static void run_key(void) {
    struct sign_key made;
    sign_key_from_seed(&made, text);
}

static void run_dh_key(void) {
    struct dh_key made;
    dh_key_from_secret(&made, text);
}

static void run_dh_convert(void) {
    must(dh_public_from_public_key(out, &signer.public) == 0, "is not a key");
}

static void run_init(void) {
    struct noise n;
    noise_init(&n, false, &dh, NULL, text, 60);
}

static void run_write(void) {
    struct noise n = first;
    must(noise_write(&n, &ephemeral, text, CELL, out) > 0, "is not written");
}

static void run_read(void) {
    struct noise n = second;
    must(noise_read(&n, message, (size_t)message_len, out) == CELL, "is not read");
}

static void run_split(void) {
    struct seal_key send, receive;
    noise_split(&done, &send, &receive);
}

static void run_cookie(void) {
    cookie_seal(out, text, key.key, text, text, 16);
    must(cookie_unseal(out + 64, out, key.key, text, text, 16) == 0, "the cookie does not open");
}

static void run_payload(void) {
    struct read_key read_key = {{1}};
    read_key_seal(&read_key, 7, 0, 3, text, LONG, out);
}

static const struct work {
    const char *name;
    void (*run)(void);
} works[] = {
    {"seal, unseal and hash of a cell", run_cell},
    {"seal, 1,120 bytes", run_seal},
    {"seal, 48 bytes", run_seal_short},
    {"seal_rekey", run_rekey},
    {"hash_cell, 1,120 bytes", run_hash_cell},
    {"hash_context, 160 bytes", run_hash_context},
    {"hash_mac, 1,120 bytes", run_hash_mac},
    {"random_bytes, 32 bytes", run_random},
    {"sign_message, 160 bytes", run_sign},
    {"sign_message, 4,096 bytes", run_sign_long},
    {"sign_verify, 160 bytes", run_verify},
    {"sign_key_from_seed", run_key},
    {"dh_key_from_secret", run_dh_key},
    {"dh_public_from_public_key", run_dh_convert},
    {"noise_init", run_init},
    {"noise_write, 1,120 bytes", run_write},
    {"noise_read, 1,120 bytes", run_read},
    {"noise_split", run_split},
    {"cookie, sealed and opened", run_cookie},
    {"read_key_seal, 4,096 bytes", run_payload},
};

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Nanoseconds a call, and what was charged for one. */
static double measure(const struct work *w, double *ret_charged) {
    tags_take_cost_ns();
    unsigned calls = 0;
    double start = seconds(), spent = 0;
    for (unsigned batch = 16; spent < LEAST_S; batch *= 2) {
        for (unsigned i = 0; i < batch; i++) w->run();
        calls += batch;
        spent = seconds() - start;
    }
    *ret_charged = (double)tags_take_cost_ns() / calls;
    return spent * 1e9 / calls;
}

int main(void) {
    if (random_start() != 0) return 1;
    printf("%-34s %9s %9s %9s\n", "ns a call", "real", "tag", "charged");
    for (size_t i = 0; i < ARRAY_LEN(works); i++) {
        double charged, real_ns, tag_ns;
        tags_use(true);
        prepare();
        real_ns = measure(&works[i], &charged);
        tags_use(false);
        prepare();
        tag_ns = measure(&works[i], &charged);
        printf("%-34s %9.0f %9.0f %9.0f\n", works[i].name, real_ns, tag_ns, charged);
    }
    return 0;
}
