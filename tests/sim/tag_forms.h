/* tag_forms.h - each wrapped function of core/crypto as a tag: the same arguments, the same
 * contract, no secrecy. Only tags.c calls them. */
#ifndef TAG_FORMS_H
#define TAG_FORMS_H

#include "core/crypto/cookie.h"
#include "core/crypto/hash.h"
#include "core/crypto/noise.h"
#include "core/crypto/random.h"
#include "core/crypto/read_key.h"
#include "core/crypto/sign.h"

/* tag_noise.c */
__typeof__(dh_key_from_secret) tag_dh_key_from_secret;
__typeof__(dh_key_from_sign_key) tag_dh_key_from_sign_key;
__typeof__(dh_public_from_public_key) tag_dh_public_from_public_key;
__typeof__(noise_init) tag_noise_init;
__typeof__(noise_read) tag_noise_read;
__typeof__(noise_split) tag_noise_split;
__typeof__(noise_write) tag_noise_write;
/* tag_sign.c */
__typeof__(sign_key_from_seed) tag_sign_key_from_seed;
__typeof__(sign_message) tag_sign_message;
__typeof__(sign_verify) tag_sign_verify;
/* One in sixteen keys at random, as of 32 bytes that nobody made a key of. */
bool tag_public_key_is_valid(const struct public_key *key);
/* tag_seal.c */
__typeof__(cookie_seal) tag_cookie_seal;
__typeof__(cookie_unseal) tag_cookie_unseal;
__typeof__(read_key_seal) tag_read_key_seal;
__typeof__(read_key_unseal) tag_read_key_unseal;
__typeof__(seal) tag_seal;
__typeof__(seal_rekey) tag_seal_rekey;
__typeof__(unseal) tag_unseal;
/* tag_hash.c */
__typeof__(hash_cell) tag_hash_cell;
__typeof__(hash_context) tag_hash_context;
__typeof__(hash_mac) tag_hash_mac;
__typeof__(random_bytes) tag_random_bytes;

#endif
