#include "dht/remembered.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/err.h"
#include "core/proto/holder.h"

#define FIELDS 5
#define HEX_LEN (2 * PUBLIC_KEY_BYTES)
#define LINE_MAX_LEN 256 /* two keys, an address, a number of 20 digits and a role */

static const char *const role_names[] = {
    [ROLE_SOURCE] = "source", [ROLE_VIEWER] = "viewer", [ROLE_RELAY] = "relay"};

struct channel {
    struct public_key key;
    size_t len; /* at least 1: a channel without peers is not kept */
    struct remembered_peer peers[REMEMBERED_PEERS_MAX];
};

struct remembered {
    size_t len;
    struct channel *channels[REMEMBERED_CHANNELS_MAX];
};

struct remembered *remembered_new(void) {
    return calloc(1, sizeof(struct remembered));
}

void remembered_free(struct remembered *r) {
    if (r == NULL) return;
    for (size_t i = 0; i < r->len; i++) free(r->channels[i]);
    free(r);
}

static struct channel *channel_find(const struct remembered *r, const struct public_key *key) {
    for (size_t i = 0; i < r->len; i++)
        if (public_key_equal(&r->channels[i]->key, key)) return r->channels[i];
    return NULL;
}

/* The slot of a new channel: a free one, or that whose newest news is the oldest. NULL where all
 * have newer news than `seen_s`. */
static struct channel **channel_slot(struct remembered *r, uint64_t seen_s) {
    if (r->len < REMEMBERED_CHANNELS_MAX) return &r->channels[r->len];
    struct channel **oldest = &r->channels[0];
    for (size_t i = 1; i < r->len; i++)
        if (r->channels[i]->peers[0].seen_s < (*oldest)->peers[0].seen_s) oldest = &r->channels[i];
    return (*oldest)->peers[0].seen_s < seen_s ? oldest : NULL;
}

static int channel_add(struct remembered *r, const struct public_key *key,
                       const struct remembered_peer *peer) {
    struct channel **slot = channel_slot(r, peer->seen_s);
    if (slot == NULL) return ERR_STALE;
    struct channel *c = calloc(1, sizeof *c);
    if (c == NULL) return ERR_MEMORY;
    c->key = *key;
    c->len = 1;
    c->peers[0] = *peer;
    if (*slot == NULL)
        r->len++;
    else
        free(*slot);
    *slot = c;
    return 0;
}

static void peer_remove(struct channel *c, size_t at) {
    c->len--;
    memmove(&c->peers[at], &c->peers[at + 1], (c->len - at) * sizeof c->peers[0]);
}

static int peer_add(struct channel *c, const struct remembered_peer *peer) {
    for (size_t i = 0; i < c->len; i++) {
        if (!public_key_equal(&c->peers[i].peer, &peer->peer)) continue;
        if (c->peers[i].seen_s > peer->seen_s) return 0;
        peer_remove(c, i);
        break;
    }
    if (c->len == REMEMBERED_PEERS_MAX && c->peers[c->len - 1].seen_s >= peer->seen_s)
        return ERR_STALE;
    if (c->len == REMEMBERED_PEERS_MAX) c->len--;
    size_t at = 0;
    while (at < c->len && c->peers[at].seen_s > peer->seen_s) at++;
    memmove(&c->peers[at + 1], &c->peers[at], (c->len - at) * sizeof c->peers[0]);
    c->peers[at] = *peer;
    c->len++;
    return 0;
}

int remembered_add(struct remembered *r, const struct public_key *channel,
                   const struct remembered_peer *peer) {
    bool known_role = peer->role >= ROLE_SOURCE && peer->role <= ROLE_RELAY;
    if (!known_role || !endpoint_is_usable(&peer->endpoint)) return ERR_RANGE;
    struct channel *c = channel_find(r, channel);
    return c != NULL ? peer_add(c, peer) : channel_add(r, channel, peer);
}

size_t remembered_peers(const struct remembered *r, const struct public_key *channel,
                        struct remembered_peer *ret, size_t max) {
    const struct channel *c = channel_find(r, channel);
    size_t n = c == NULL ? 0 : size_min(c->len, max);
    if (n > 0) memcpy(ret, c->peers, n * sizeof *ret);
    return n;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int key_parse(const char *text, struct public_key *ret) {
    if (strlen(text) != HEX_LEN) return ERR_FORMAT;
    for (size_t i = 0; i < PUBLIC_KEY_BYTES; i++) {
        int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0) return ERR_FORMAT;
        ret->bytes[i] = (uint8_t)(high << 4 | low);
    }
    return 0;
}

static int seconds_parse(const char *text, uint64_t *ret) {
    if (text[0] < '0' || text[0] > '9') return ERR_FORMAT;
    char *end;
    errno = 0;
    unsigned long long seconds = strtoull(text, &end, 10);
    if (*end != '\0' || errno != 0) return ERR_FORMAT;
    *ret = seconds;
    return 0;
}

static int role_parse(const char *text, uint8_t *ret) {
    for (size_t i = ROLE_SOURCE; i < ARRAY_LEN(role_names); i++) {
        if (strcmp(text, role_names[i]) != 0) continue;
        *ret = (uint8_t)i;
        return 0;
    }
    return ERR_FORMAT;
}

/* Cuts the line at its spaces. */
static int line_split(char *line, char *fields[FIELDS]) {
    size_t n = 0;
    fields[n++] = line;
    for (char *space; (space = strchr(fields[n - 1], ' ')) != NULL;) {
        if (n == FIELDS) return ERR_FORMAT;
        *space = '\0';
        fields[n++] = space + 1;
    }
    return n == FIELDS ? 0 : ERR_FORMAT;
}

static int line_parse(struct remembered *r, char *line, uint64_t utc_s) {
    char *fields[FIELDS];
    struct public_key channel;
    struct remembered_peer peer;
    int err = line_split(line, fields);
    if (!err) err = key_parse(fields[0], &channel);
    if (!err) err = key_parse(fields[1], &peer.peer);
    if (!err) err = endpoint_parse(fields[2], &peer.endpoint);
    if (!err) err = seconds_parse(fields[3], &peer.seen_s);
    if (!err) err = role_parse(fields[4], &peer.role);
    if (err) return err;
    peer.seen_s = u64_min(peer.seen_s, utc_s);
    return remembered_add(r, &channel, &peer);
}

int remembered_parse(struct remembered *r, const char *text, size_t len, uint64_t utc_s) {
    int skipped = 0;
    const char *end = text + len;
    while (text < end) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t line_len = (size_t)((stop != NULL ? stop : end) - text);
        char line[LINE_MAX_LEN];
        bool fits = line_len < sizeof line && memchr(text, '\0', line_len) == NULL;
        if (fits && line_len > 0 && text[0] != '#') {
            memcpy(line, text, line_len);
            line[line_len] = '\0';
            if (line_parse(r, line, utc_s) != 0) skipped++;
        } else if (!fits) {
            skipped++;
        }
        text += line_len + 1;
    }
    return skipped;
}

static int system_error(void) {
    if (errno == ENOENT) return ERR_NOT_FOUND;
    return errno == EACCES || errno == EPERM ? ERR_PERMISSION : ERR_SYSTEM;
}

int remembered_load(struct remembered *r, const char *path, uint64_t utc_s) {
    FILE *file = fopen(path, "re");
    if (file == NULL) return system_error();
    char *text = malloc(REMEMBERED_FILE_MAX + 1);
    int result = ERR_MEMORY;
    if (text != NULL) {
        size_t len = fread(text, 1, REMEMBERED_FILE_MAX + 1, file);
        if (ferror(file))
            result = ERR_SYSTEM;
        else if (len > REMEMBERED_FILE_MAX)
            result = ERR_RANGE;
        else
            result = remembered_parse(r, text, len, utc_s);
    }
    free(text);
    fclose(file);
    return result;
}

static void key_format(const struct public_key *key, char ret[HEX_LEN + 1]) {
    for (size_t i = 0; i < PUBLIC_KEY_BYTES; i++) sprintf(ret + 2 * i, "%02x", key->bytes[i]);
}

/* Newest first, as they stand. */
static void channel_write(const struct channel *c, FILE *file) {
    char channel[HEX_LEN + 1], peer[HEX_LEN + 1], address[ENDPOINT_TEXT_MAX];
    key_format(&c->key, channel);
    for (size_t i = 0; i < c->len; i++) {
        const struct remembered_peer *p = &c->peers[i];
        key_format(&p->peer, peer);
        fprintf(file, "%s %s %s %llu %s\n", channel, peer, endpoint_format(&p->endpoint, address),
                (unsigned long long)p->seen_s, role_names[p->role]);
    }
}

/* The temporary file is there. Closes it in any case. */
static int file_write(const struct remembered *r, int fd) {
    FILE *file = fdopen(fd, "w");
    if (file == NULL) {
        close(fd);
        return ERR_SYSTEM;
    }
    fprintf(file, "# CHANNEL PEER ADDRESS SEEN ROLE\n");
    for (size_t i = 0; i < r->len; i++) channel_write(r->channels[i], file);
    int err = fflush(file) != 0 || ferror(file) || fsync(fd) != 0 ? ERR_SYSTEM : 0;
    if (fclose(file) != 0) err = ERR_SYSTEM;
    return err;
}

int remembered_save(const struct remembered *r, const char *path) {
    size_t len = strlen(path) + sizeof ".XXXXXX";
    char *temporary = malloc(len);
    if (temporary == NULL) return ERR_MEMORY;
    snprintf(temporary, len, "%s.XXXXXX", path);
    int fd = mkostemp(temporary, O_CLOEXEC); /* mode 0600 */
    int err = fd < 0 ? system_error() : file_write(r, fd);
    if (!err && rename(temporary, path) != 0) err = system_error();
    if (err && fd >= 0) unlink(temporary);
    free(temporary);
    return err;
}
