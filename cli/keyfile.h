/* keyfile.h - files that hold a secret key: a channel's, or a peer's id.
 *
 * Text, so that it can be copied by hand: a line with the kind and the version, then a line each
 * for the seed, the public key that it must make (a damaged seed is an error, not another channel)
 * and, in a private channel's, the key to read. Bytes are base32.
 *
 * Invariants: a file appears whole or not at all, readable by its owner alone, and never in the
 * place of one that stands there; one that others can read is not used. */
#ifndef KEYFILE_H
#define KEYFILE_H

#include <stdbool.h>

#include "core/crypto/read_key.h"
#include "core/crypto/sign.h"
#include "core/proto/channel_link.h"

#define KEYFILE_SIZE_MAX 4096
#define KEYFILE_MESSAGE_MAX 600
#define KEYFILE_CHANNEL "channel.key" /* in the data directory */

enum keyfile_kind {
    KEYFILE_OF_CHANNEL,
    KEYFILE_OF_PEER,
};

struct keyfile {
    struct sign_key sign;
    bool has_read_key; /* of a private channel */
    struct read_key read_key;
};

/* A fresh key. */
void keyfile_generate(struct keyfile *ret, bool is_private, struct random *random);
void keyfile_erase(struct keyfile *key);
/* The link of a channel's key: the public key, and the key to read where it has one. */
void keyfile_link(const struct keyfile *key, struct channel_link *ret);

/* Returns 0, ERR_EXISTS, ERR_RANGE for a path too long, or ERR_SYSTEM; then `message`
 * (KEYFILE_MESSAGE_MAX bytes) names the file and what is wrong. */
MUST_CHECK int keyfile_write(const char *path, enum keyfile_kind kind, const struct keyfile *key,
                             char *message);
/* Returns 0, ERR_NOT_FOUND, ERR_PERMISSION (readable by others, of another user, not readable),
 * ERR_FORMAT (no such file, or damaged), ERR_VERSION or ERR_SYSTEM, with a message. */
MUST_CHECK int keyfile_read(const char *path, enum keyfile_kind kind, struct keyfile *ret,
                            char *message);

/* The path that a command names, or the default one: fills PATH_MAX bytes. `argument` may be NULL.
 * Returns 0, ERR_RANGE or ERR_NOT_FOUND with a message. */
MUST_CHECK int keyfile_path(const char *argument, char *ret, char *message);

#endif
