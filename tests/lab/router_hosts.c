#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/base/err.h"
#include "tests/lab/router.h"

/* Runs with the namespace of `space` entered. The calling thread is the only one. */
static int enter(int space) {
    int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (home >= 0 && setns(space, CLONE_NEWNET) == 0) return home;
    if (home >= 0) close(home);
    return ERR_SYSTEM;
}

static void leave(int home) {
    if (setns(home, CLONE_NEWNET) != 0) _exit(1); /* nothing else would be in the right place */
    close(home);
}

/* Without IFF_VNET_HDR and with no offload: the kernel splits before it hands over. */
static int device_make(uint8_t ret_mac[MAC_BYTES]) {
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    memcpy(request.ifr_name, ROUTER_DEVICE, sizeof ROUTER_DEVICE);
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return ERR_SYSTEM;
    if (ioctl(fd, TUNSETIFF, &request) == 0 && ioctl(fd, TUNSETOFFLOAD, 0) == 0 &&
        ioctl(fd, TUNGETIFF, &request) == 0 && (request.ifr_flags & IFF_VNET_HDR) == 0 &&
        ioctl(fd, SIOCGIFHWADDR, &request) == 0) {
        memcpy(ret_mac, request.ifr_hwaddr.sa_data, MAC_BYTES);
        return fd;
    }
    close(fd);
    return ERR_SYSTEM;
}

static void host_init(struct router *r, unsigned host) {
    struct router_host *h = &r->hosts[host];
    h->up.queue_ms = h->down.queue_ms = ROUTER_QUEUE_MS;
    h->mtu = ROUTER_MTU;
    for (size_t other = 0; other <= host; other++) {
        r->paths[host][other] = (struct shape_path){.burst = 1, .reach = 1};
        r->paths[other][host] = (struct shape_path){.burst = 1, .reach = 1};
    }
}

int router_host_add(struct router *r, const char *name, const char *space) {
    if (r->hosts_len == ROUTER_HOSTS_MAX) return ERR_FULL;
    if (router_find_name(r, name) >= 0) return ERR_EXISTS;
    struct router_host *h = &r->hosts[r->hosts_len];
    char path[256];
    snprintf(path, sizeof path, "/run/netns/%s", space);
    snprintf(h->name, sizeof h->name, "%s", name);
    h->space = open(path, O_RDONLY | O_CLOEXEC);
    if (h->space < 0) return ERR_NOT_FOUND;
    int home = enter(h->space);
    h->device = home < 0 ? ERR_SYSTEM : device_make(h->mac);
    if (home >= 0) leave(home);
    if (h->device < 0) {
        close(h->space);
        return ERR_SYSTEM;
    }
    host_init(r, (unsigned)r->hosts_len);
    return (int)r->hosts_len++;
}

static size_t slot_of(const struct ip_address *address) {
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < sizeof address->bytes; i++)
        hash = (hash ^ address->bytes[i]) * 16777619u;
    return (hash ^ hash >> 16) % ROUTER_ADDRESSES_MAX;
}

static bool host_has(const struct router_host *h, const struct ip_address *address) {
    for (size_t i = 0; i < h->addresses_len; i++)
        if (memcmp(&h->addresses[i], address, sizeof *address) == 0) return true;
    return false;
}

int router_find_address(const struct router *r, const struct ip_address *address) {
    for (size_t at = slot_of(address); r->by_address[at] != 0; at = (at + 1) % ROUTER_ADDRESSES_MAX)
        if (host_has(&r->hosts[r->by_address[at] - 1], address)) return r->by_address[at] - 1;
    return -1;
}

int router_find_name(const struct router *r, const char *name) {
    for (size_t i = 0; i < r->hosts_len; i++)
        if (strcmp(r->hosts[i].name, name) == 0) return (int)i;
    return -1;
}

static void addresses_index(struct router *r) {
    memset(r->by_address, 0, sizeof r->by_address);
    for (size_t i = 0; i < r->hosts_len; i++)
        for (size_t k = 0; k < r->hosts[i].addresses_len; k++) {
            size_t at = slot_of(&r->hosts[i].addresses[k]);
            while (r->by_address[at] != 0) at = (at + 1) % ROUTER_ADDRESSES_MAX;
            r->by_address[at] = (uint16_t)(i + 1);
        }
}

int router_host_set_addresses(struct router *r, unsigned host, const char *const *texts,
                              size_t len) {
    struct router_host *h = &r->hosts[host];
    struct ip_address addresses[ARRAY_LEN(h->addresses)];
    if (len > ARRAY_LEN(addresses)) return ERR_ARGUMENT;
    for (size_t i = 0; i < len; i++) {
        int err = ip_address_parse(texts[i], &addresses[i]);
        if (err != 0) return err;
        int owner = router_find_address(r, &addresses[i]);
        if (owner >= 0 && owner != (int)host) return ERR_EXISTS;
    }
    memcpy(h->addresses, addresses, len * sizeof *addresses);
    h->addresses_len = len;
    addresses_index(r);
    return 0;
}

/* Of the twelve figures in the device's line, the last but four. */
uint64_t router_host_unread(const struct router_host *h) {
    unsigned long long dropped = 0;
    char line[512];
    int home = enter(h->space);
    if (home < 0) return 0;
    FILE *f = fopen("/proc/thread-self/net/dev", "re");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (strstr(line, ROUTER_DEVICE ":") != NULL &&
            sscanf(strchr(line, ':') + 1, "%*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %llu",
                   &dropped) != 1)
            dropped = 0;
    if (f != NULL) fclose(f);
    leave(home);
    return dropped;
}
