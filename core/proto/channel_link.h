/* channel_link.h - the text that people pass on: "shoal:" and 56 base32 characters, with options.
 *
 * The characters (RFC 4648 base32, lower case, no padding) are the channel key's 32 bytes and 3
 * bytes of BLAKE2b over them, so that a typo is an error and not an empty swarm. Options follow as
 * in a URL: ?peer=HOST:PORT (repeatable), read=KEY (52 base32 characters), name=TEXT. Upper case is
 * taken too: a link may be read out loud. Options that are not known are skipped. */
#ifndef CHANNEL_LINK_H
#define CHANNEL_LINK_H

#include <stdbool.h>

#include "core/base/base.h"
#include "core/crypto/read_key.h"
#include "core/crypto/sign.h"

#define CHANNEL_LINK_PEERS_MAX 8
#define CHANNEL_LINK_HOST_MAX 262 /* a DNS name of 255 characters, ':' and a port */
#define CHANNEL_LINK_NAME_MAX 128
#define CHANNEL_LINK_TEXT_MAX 4096

struct channel_link {
    struct public_key channel;
    bool has_read_key;
    struct read_key read_key;
    char name[CHANNEL_LINK_NAME_MAX];
    uint8_t peers_len;
    char peers[CHANNEL_LINK_PEERS_MAX][CHANNEL_LINK_HOST_MAX]; /* HOST:PORT, syntax checked only */
};

/* Returns 0, ERR_FORMAT (no "shoal:", wrong length or characters, bad option), ERR_CHECKSUM for a
 * mistyped key, or ERR_RANGE for a key that is no Ed25519 key. */
MUST_CHECK int channel_link_parse(const char *text, struct channel_link *ret);
/* `ret` takes CHANNEL_LINK_TEXT_MAX bytes; returns its length. What channel_link_parse gives always
 * fits; of longer peers ERR_FULL and an empty text come. */
int channel_link_format(const struct channel_link *link, char *ret);

#endif
