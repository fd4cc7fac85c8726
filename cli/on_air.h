/* on_air.h - one broadcast: its id and key, its manifest, and fragments published under them.
 *
 * The channel's secret key signs manifests and nothing else; chunks are signed by the broadcast's
 * own key, which lives as long as the process. */
#ifndef ON_AIR_H
#define ON_AIR_H

#include "cli/keyfile.h"
#include "core/proto/manifest.h"
#include "core/swarm/node.h"
#include "core/swarm/publisher.h"

#define MANIFEST_LIFE_S 3600 /* a stolen broadcast key is of use that long */
#define MANIFEST_RENEW_S 1800

struct on_air {
    struct node *node;
    int channel;
    const struct keyfile *key; /* borrowed */
    struct sign_key broadcast_key;
    struct manifest manifest;
    struct publisher publisher;
    uint64_t renew_s;         /* UTC: when the manifest is signed anew */
    bool started[TRACKS_MAX]; /* a random access fragment of the track was published */
};

/* Signs and publishes the manifest of a new broadcast. Its id is `utc_us` in milliseconds, or
 * `above` + 1 where that is more. Returns 0 or an error of manifest_sign or node_set_manifest. */
MUST_CHECK int on_air_start(struct on_air *a, struct node *node, int channel,
                            const struct keyfile *key, const char *title,
                            const struct track *tracks, size_t tracks_len, uint64_t above,
                            uint64_t utc_us, uint64_t now_us);
/* The same tracks under a new id and key, for a swarm that knows a higher id already. */
MUST_CHECK int on_air_restart(struct on_air *a, uint64_t above, uint64_t utc_us, uint64_t now_us);
/* Signs the manifest anew when it is time. */
MUST_CHECK int on_air_renew(struct on_air *a, uint64_t utc_us, uint64_t now_us);
/* Cuts, signs and publishes. What comes before a track's first random access point is left out. */
MUST_CHECK int on_air_publish(struct on_air *a, const struct fragment *f, uint64_t now_us);
/* Ends every track that has not ended: a signed end. */
MUST_CHECK int on_air_end(struct on_air *a, uint64_t utc_us, uint64_t now_us);
void on_air_release(struct on_air *a);

#endif
