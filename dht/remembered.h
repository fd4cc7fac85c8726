/* remembered.h - peers that answered once, by channel, in a file: the first to dial the next time.
 *
 * A text file, one peer a line, fields parted by one space:
 *
 *     CHANNEL PEER ADDRESS SEEN ROLE
 *     9f3c...(64 hex digits) 77ab...(64) 192.0.2.7:7000 1700000000 relay
 *
 * ADDRESS is as endpoint_parse reads it, SEEN is UTC seconds, ROLE is source, viewer or relay.
 * Lines that are not like that are skipped and counted; a line that starts with # is a remark. The
 * file is only ever replaced as a whole, and holds addresses of other people: mode 0600.
 * Invariant: a channel's peers stand newest first, each once. */
#ifndef REMEMBERED_H
#define REMEMBERED_H

#include "core/base/endpoint.h"
#include "core/crypto/sign.h"

#define REMEMBERED_CHANNELS_MAX 64
#define REMEMBERED_PEERS_MAX 64        /* of a channel */
#define REMEMBERED_FILE_MAX (1u << 20) /* all of them, at 220 characters a line */

struct remembered_peer {
    struct public_key peer;
    struct endpoint endpoint;
    uint64_t seen_s; /* UTC */
    uint8_t role;    /* enum peer_role */
};

struct remembered;

struct remembered *remembered_new(void); /* NULL: no memory */
void remembered_free(struct remembered *r);

/* Adds what the file holds; times after `utc_s` count as now. Returns how many lines were skipped,
 * or ERR_NOT_FOUND where there is no file yet, ERR_RANGE (over REMEMBERED_FILE_MAX),
 * ERR_PERMISSION, ERR_MEMORY, ERR_SYSTEM. */
MUST_CHECK int remembered_load(struct remembered *r, const char *path, uint64_t utc_s);
/* The same for text in memory; returns how many lines were skipped. */
int remembered_parse(struct remembered *r, const char *text, size_t len, uint64_t utc_s);
/* Replaces the file. Returns 0, or ERR_NOT_FOUND (no such folder), ERR_PERMISSION, ERR_MEMORY,
 * ERR_SYSTEM, and then the file is what it was. */
MUST_CHECK int remembered_save(const struct remembered *r, const char *path);

/* A new peer, or news of one that is known: the newer wins. The oldest peer of a full channel, and
 * the channel of the oldest news where there are too many, are forgotten. Returns 0, ERR_RANGE
 * (role or address), ERR_STALE (older than all of a full channel) or ERR_MEMORY. */
MUST_CHECK int remembered_add(struct remembered *r, const struct public_key *channel,
                              const struct remembered_peer *peer);
/* Up to `max` of the channel's peers, newest first; returns how many. */
size_t remembered_peers(const struct remembered *r, const struct public_key *channel,
                        struct remembered_peer *ret, size_t max);

#endif
