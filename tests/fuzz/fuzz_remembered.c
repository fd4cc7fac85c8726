/* The file of remembered peers: anything may stand in it, and what is taken can be found again. */
#include <assert.h>
#include <stdlib.h>

#include "dht/remembered.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > REMEMBERED_FILE_MAX) return 0;
    struct remembered *r = remembered_new();
    assert(r != NULL);
    int skipped = remembered_parse(r, (const char *)data, size, 1700000000);
    assert(skipped >= 0 && (size_t)skipped <= size + 1);
    struct public_key channel = {{0}};
    struct remembered_peer peers[REMEMBERED_PEERS_MAX];
    size_t n = remembered_peers(r, &channel, peers, REMEMBERED_PEERS_MAX);
    for (size_t i = 0; i < n; i++) {
        assert(endpoint_is_usable(&peers[i].endpoint) && peers[i].seen_s <= 1700000000);
        assert(i == 0 || peers[i - 1].seen_s >= peers[i].seen_s);
    }
    remembered_free(r);
    return 0;
}
