/* peerkey.h - the peer id that a source or a relay keeps from one run to the next.
 *
 * It stands in the state directory, one file for each role, and is held with a lock while the
 * program runs: two peers with one id would take each other's links. A second program of the same
 * role, and one that may not write there, gets an id for this run alone. */
#ifndef PEERKEY_H
#define PEERKEY_H

#include <stdbool.h>

#include "core/crypto/sign.h"

struct peerkey {
    struct sign_key sign;
    bool is_kept;
    int lock; /* a descriptor, -1 where it is not kept */
};

/* `role` names the file: "relay" or "source". Never fails: where the id is not kept, `message`
 * (KEYFILE_MESSAGE_MAX bytes) says why, and is empty otherwise. */
void peerkey_take(struct peerkey *ret, const char *role, struct random *random, char *message);
/* An id for this run alone: a viewer's. */
void peerkey_fresh(struct peerkey *ret, struct random *random);
/* Erases the secret and lets others have the id. */
void peerkey_release(struct peerkey *key);

#endif
