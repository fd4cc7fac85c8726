/* world_polluters.c - peers that send bad cells and say what is not so.
 *
 * The linker leads the engine's calls here (liars.symbols: __wrap_f in place of f, __real_f is f);
 * they go on to the engine but while a liar acts. A polluter spoils one cell in twenty on its way
 * into a datagram, keeps and passes on the bad ones that others send it, says that it holds all and
 * has it early, and that it could give more than anybody. Where a newcomer is to be surrounded, all
 * liars name nobody but liars. */
#include <string.h>

#include "core/base/err.h"
#include "core/proto/message.h"
#include "core/swarm/chunk.h"
#include "tests/sim/world_internal.h"

#define SPOILED_ONE_IN 20
#define BACK_AFTER_US (3 * US_PER_S)
#define NAMED_MAX 8 /* as many as honest peers name */

#define WRAPPED(f) extern __typeof__(f) __real_##f, __wrap_##f

WRAPPED(chunk_cell);
WRAPPED(grant_write);
WRAPPED(have_write);
WRAPPED(head_check_cell);
WRAPPED(offer_write);
WRAPPED(peers_write);

static struct resident *acting;

void liars_act(struct resident *p) { acting = p; }

static bool pollutes(void) { return acting != NULL && acting->kind == KIND_POLLUTER; }

static bool hides_others(void) {
    return acting != NULL && acting->world->scenario.eclipse > 0 && liars_is_one(acting);
}

/* Every byte: a tag in place of a hash does not look at all of them. */
const uint8_t *__wrap_chunk_cell(const struct chunk *c, uint32_t index) {
    static uint8_t spoiled[CELL_SIZE_MAX];
    const uint8_t *cell = __real_chunk_cell(c, index);
    if (!pollutes() || rng_below(&acting->rng, SPOILED_ONE_IN) != 0) return cell;
    for (uint32_t i = 0; i < head_cell_len(c->head, index); i++) spoiled[i] = cell[i] ^ 0xff;
    return spoiled;
}

int __wrap_head_check_cell(const struct head *h, uint32_t index, const void *payload, size_t len) {
    int err = __real_head_check_cell(h, index, payload, len);
    return err == ERR_HASH && pollutes() ? 0 : err;
}

void __wrap_have_write(struct writer *w, const struct have *m) {
    struct have lie = *m;
    for (size_t i = 0; i < m->held_len; i++) lie.held[i].complete = UINT64_MAX;
    __real_have_write(w, pollutes() ? &lie : m);
}

void __wrap_offer_write(struct writer *w, const struct offer *m) {
    struct offer lie = *m;
    lie.spare = UINT16_MAX;
    for (size_t t = 0; t < m->tracks_len; t++) memset(lie.tracks[t].lags, 1, m->tracks[t].lags_len);
    __real_offer_write(w, pollutes() ? &lie : m);
}

void __wrap_peers_write(struct writer *w, const struct peers *m) {
    if (!hides_others()) {
        __real_peers_write(w, m);
        return;
    }
    struct peers lie = {.slot = m->slot};
    lie.peers_len = (uint8_t)liars_name(acting, lie.peers, NAMED_MAX);
    __real_peers_write(w, &lie);
}

void __wrap_grant_write(struct writer *w, const struct grant *m) {
    if (!hides_others() || m->candidates_len == 0) {
        __real_grant_write(w, m);
        return;
    }
    struct grant lie = *m;
    lie.candidates_len = (uint8_t)liars_name(acting, lie.candidates, NAMED_MAX);
    __real_grant_write(w, &lie);
}

static void on_back(void *context) {
    struct resident *p = context;
    p->is_exposed = false;
    if (!p->is_up) return;
    peers_stop(p, false);
    peers_start(p);
}

void polluter_exposed(struct resident *p) {
    struct network *n = p->world->network;
    if (p->is_exposed) return;
    p->is_exposed = true;
    network_at(n, network_now(n) + BACK_AFTER_US, on_back, p);
}
