/* Lookups that answer while their resolver is asked, dispatched and freed: for ThreadSanitizer. */
#include <assert.h>
#include <stdio.h>

#include "core/io/resolve.h"

#define ROUNDS 60

struct round {
    struct loop *loop;
    int answers;
};

static void answered(void *ctx, const char *text, int err, const struct endpoint *endpoints,
                     size_t len) {
    (void)text, (void)err, (void)endpoints, (void)len;
    struct round *round = ctx;
    if (++round->answers == 4) loop_stop(round->loop);
}

int main(void) {
    struct round round = {.loop = loop_new()};
    assert(round.loop != NULL);
    for (int i = 0; i < ROUNDS; i++) {
        struct resolver *r = resolver_new(round.loop, NULL);
        assert(r != NULL);
        round.answers = 0;
        int asked = 0;
        for (int k = 0; k < 4; k++) asked += resolver_ask(r, "localhost:1", answered, &round) == 0;
        /* Every other resolver goes while its threads are at work. */
        if (i % 2 == 0 && asked == 4) {
            int err = loop_run(round.loop);
            assert(err == 0 && round.answers == 4);
        }
        resolver_free(r);
    }
    loop_free(round.loop);
    printf("resolve: %d resolvers\n", ROUNDS);
    return 0;
}
