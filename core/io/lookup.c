#include "core/io/lookup.h"

#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "core/base/err.h"
#include "core/io/udp_address.h"

struct lookup {
    lookup_fn fn;
    void *ctx;
    uint16_t port;
    char host[LOOKUP_HOST_MAX];
};

static atomic_uint running;

static void *lookup_run(void *arg) {
    struct lookup *l = arg;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM};
    struct addrinfo *all = NULL;
    if (getaddrinfo(l->host, NULL, &hints, &all) != 0) all = NULL;
    struct endpoint endpoints[LOOKUP_ENDPOINTS_MAX];
    size_t len = 0;
    for (struct addrinfo *a = all; a != NULL && len < LOOKUP_ENDPOINTS_MAX; a = a->ai_next) {
        if (!udp_address_to_endpoint(a->ai_addr, &endpoints[len])) continue;
        endpoints[len++].port = l->port;
    }
    if (all != NULL) freeaddrinfo(all);
    l->fn(l->ctx, endpoints, len);
    free(l);
    atomic_fetch_sub(&running, 1);
    return NULL;
}

static int thread_start(struct lookup *l) {
    pthread_attr_t attr;
    if (pthread_attr_init(&attr) != 0) return ERR_SYSTEM;
    pthread_t thread;
    int failed = pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    if (!failed) failed = pthread_create(&thread, &attr, lookup_run, l);
    pthread_attr_destroy(&attr);
    return failed ? ERR_SYSTEM : 0;
}

int lookup_start(const char *host, uint16_t port, lookup_fn fn, void *ctx) {
    if (strlen(host) >= LOOKUP_HOST_MAX) return ERR_RANGE;
    if (atomic_fetch_add(&running, 1) >= LOOKUP_THREADS_MAX) {
        atomic_fetch_sub(&running, 1);
        return ERR_FULL;
    }
    struct lookup *l = calloc(1, sizeof *l);
    int err = l == NULL ? ERR_MEMORY : 0;
    if (!err) {
        *l = (struct lookup){.fn = fn, .ctx = ctx, .port = port};
        memcpy(l->host, host, strlen(host) + 1);
        err = thread_start(l);
    }
    if (err) {
        free(l);
        atomic_fetch_sub(&running, 1);
    }
    return err;
}
