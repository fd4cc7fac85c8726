/* Nodes of one process hold what they have alike once. */
#include <criterion/criterion.h>

#include "core/swarm/engine.h"
#include "tests/lib/stage.h"

#define VIEWERS 3

static struct stage stage;
static struct origin source;
static struct chunk_pool *pool;
static struct actor *viewers[VIEWERS];

static void start(void) {
    stage_init(&stage, 1, 20 * US_PER_MS);
    pool = chunk_pool_new();
}

static void end(void) {
    stage_release(&stage);
    origin_release(&source);
    chunk_pool_free(pool);
}

TestSuite(node_sharing, .init = start, .fini = end);

static void run(uint64_t for_us) {
    origin_start(&source, &stage, 0, 7, false);
    source.broadcast.publisher.chunks = pool; /* from its second chunks on */
    struct node_config config = {
        .role = ROLE_VIEWER, .max_upload_bps = NODE_UPLOAD_UNLIMITED, .chunks = pool};
    for (unsigned i = 0; i < VIEWERS; i++) {
        viewers[i] = stage_node(&stage, i + 1, &source.broadcast, &config);
        stage_introduce(viewers[i], source.actor);
    }
    stage_run(&stage, for_us);
}

Test(node_sharing, every_chunk_has_one_body) {
    run(3 * US_PER_S);
    const struct window *theirs = &viewers[0]->node->channels[0]->streams[0].window;
    size_t shared = 0;
    for (uint32_t i = 0; i <= theirs->newest; i++) {
        const struct chunk *chunk = window_chunk(theirs, i);
        if (chunk == NULL) continue;
        if (i > 0) cr_assert_eq(chunk->body, source.chunks[0][i]->body);
        for (unsigned k = 1; k < VIEWERS; k++) {
            chunk = window_chunk(&viewers[k]->node->channels[0]->streams[0].window, i);
            if (chunk == NULL) continue;
            cr_assert_eq(chunk->body, window_chunk(theirs, i)->body);
        }
        shared++;
    }
    cr_assert_gt(shared, 50);
    /* The source's record keeps them all; a viewer has made none of its own. */
    cr_assert_leq(chunk_pool_len(pool), source.chunks_len[0] + source.chunks_len[1]);
    for (unsigned i = 0; i < VIEWERS; i++) {
        const struct played *p = &viewers[i]->played[0];
        cr_assert_gt(p->fragments, 50);
        cr_assert_eq(p->wrong + p->disordered + p->skipped, 0);
    }
}

Test(node_sharing, memory_is_counted_for_each_as_if_it_were_alone) {
    run(US_PER_S);
    const struct window *w = &viewers[0]->node->channels[0]->streams[0].window;
    size_t bytes = 0;
    for (uint32_t i = 0; i <= w->newest; i++) {
        const struct chunk *chunk = window_chunk(w, i);
        if (chunk != NULL) bytes += chunk_size(chunk);
    }
    cr_assert_gt(bytes, 10 * source.video_len);
    cr_assert_eq(w->bytes, bytes);
}
