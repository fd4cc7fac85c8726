#include "core/proto/channel_link.h"

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>
#include <strings.h>

#include "core/base/bytes.h"
#include "core/base/err.h"
#include "core/crypto/hash.h"
#include "core/proto/base32.h"
#include "core/proto/text.h"

#define SCHEME "shoal:"
#define CHECKSUM_BYTES 3
#define KEY_TEXT_LEN BASE32_LEN(PUBLIC_KEY_BYTES + CHECKSUM_BYTES)
#define READ_KEY_TEXT_LEN BASE32_LEN(READ_KEY_BYTES)
#define HOST_NAME_MAX_LEN 255 /* RFC 1035, 2.3.4 */

static_assert(KEY_TEXT_LEN == 56, "no bit of the last character is unused");

static void key_checksum(const struct public_key *key, uint8_t ret[CHECKSUM_BYTES]) {
    uint8_t hash[16];
    hash_context(hash, sizeof hash, "shoal link 1", key->bytes, PUBLIC_KEY_BYTES);
    memcpy(ret, hash, CHECKSUM_BYTES);
}

static int key_parse(const char *text, struct public_key *ret) {
    uint8_t bytes[PUBLIC_KEY_BYTES + CHECKSUM_BYTES], checksum[CHECKSUM_BYTES];
    int err = base32_read(text, bytes, sizeof bytes);
    if (err) return err;
    memcpy(ret->bytes, bytes, PUBLIC_KEY_BYTES);
    key_checksum(ret, checksum);
    if (memcmp(checksum, bytes + PUBLIC_KEY_BYTES, CHECKSUM_BYTES) != 0) return ERR_CHECKSUM;
    return public_key_is_valid(ret) ? 0 : ERR_RANGE;
}

static bool port_is_valid(const char *text) {
    unsigned port = 0;
    size_t len = strspn(text, "0123456789");
    if (len < 1 || len > 5 || text[len] != '\0') return false;
    for (size_t i = 0; i < len; i++) port = port * 10 + (unsigned)(text[i] - '0');
    return port >= 1 && port <= UINT16_MAX;
}

static bool ipv6_is_valid(const char *text, size_t len) {
    char host[INET6_ADDRSTRLEN];
    struct in6_addr address;
    if (len >= sizeof host) return false;
    memcpy(host, text, len);
    host[len] = '\0';
    return inet_pton(AF_INET6, host, &address) == 1;
}

/* Letters, digits and hyphens in labels that dots part; an underscore, which some names have. */
static bool host_name_is_valid(const char *text, size_t len) {
    static const char taken[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    if (len < 1 || len > HOST_NAME_MAX_LEN || strspn(text, taken) < len) return false;
    if (text[0] == '-' || text[0] == '.') return false;
    return memmem(text, len, "..", 2) == NULL;
}

static bool peer_is_valid(const char *text) {
    if (text[0] == '[') {
        const char *close = strchr(text, ']');
        return close != NULL && ipv6_is_valid(text + 1, (size_t)(close - text - 1)) &&
               close[1] == ':' && port_is_valid(close + 2);
    }
    const char *colon = strchr(text, ':');
    return colon != NULL && host_name_is_valid(text, (size_t)(colon - text)) &&
           port_is_valid(colon + 1);
}

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* The value of an option without its percent signs (RFC 3986, 2.1), ended by a zero, in `size`
 * bytes. Returns 0, or ERR_FORMAT where it is longer or holds a zero or a broken triplet. */
static int value_decode(const char *text, size_t len, char *ret, size_t size) {
    size_t out = 0;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == '%') {
            int high = i + 2 < len ? hex_value(text[i + 1]) : -1;
            int low = i + 2 < len ? hex_value(text[i + 2]) : -1;
            if (high < 0 || low < 0) return ERR_FORMAT;
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (c == '\0' || out + 1 >= size) return ERR_FORMAT;
        ret[out++] = c;
    }
    ret[out] = '\0';
    return 0;
}

static int take_peer(const char *text, size_t len, struct channel_link *link) {
    if (link->peers_len == CHANNEL_LINK_PEERS_MAX) return ERR_FORMAT;
    char *peer = link->peers[link->peers_len];
    int err = value_decode(text, len, peer, CHANNEL_LINK_HOST_MAX);
    if (err) return err;
    if (!peer_is_valid(peer)) return ERR_FORMAT;
    link->peers_len++;
    return 0;
}

static int take_read_key(const char *text, size_t len, struct channel_link *link) {
    char decoded[READ_KEY_TEXT_LEN + 1];
    if (link->has_read_key) return ERR_FORMAT;
    int err = value_decode(text, len, decoded, sizeof decoded);
    if (!err && strlen(decoded) != READ_KEY_TEXT_LEN) err = ERR_FORMAT;
    if (!err) err = base32_read(decoded, link->read_key.bytes, READ_KEY_BYTES);
    link->has_read_key = !err;
    secret_erase(decoded, sizeof decoded);
    return err;
}

static int take_name(const char *text, size_t len, struct channel_link *link) {
    if (link->name[0] != '\0') return ERR_FORMAT;
    int err = value_decode(text, len, link->name, sizeof link->name);
    if (err) return err;
    return text_is_utf8(link->name, strlen(link->name)) ? 0 : ERR_FORMAT;
}

static const struct {
    const char *name;
    int (*take)(const char *text, size_t len, struct channel_link *link);
} options[] = {{"peer", take_peer}, {"read", take_read_key}, {"name", take_name}};

/* One "name=value". A name that is not known is skipped: a later version may have it. */
static int option_parse(const char *text, size_t len, struct channel_link *link) {
    const char *equals = memchr(text, '=', len);
    size_t name_len = equals == NULL ? len : (size_t)(equals - text);
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        if (strlen(options[i].name) != name_len || memcmp(options[i].name, text, name_len) != 0)
            continue;
        if (equals == NULL) return ERR_FORMAT;
        return options[i].take(equals + 1, len - name_len - 1, link);
    }
    return 0;
}

static int options_parse(const char *text, struct channel_link *link) {
    for (;;) {
        size_t len = strcspn(text, "&");
        int err = option_parse(text, len, link);
        if (err || text[len] == '\0') return err;
        text += len + 1;
    }
}

int channel_link_parse(const char *text, struct channel_link *ret) {
    const size_t scheme_len = sizeof SCHEME - 1;
    size_t len = strnlen(text, CHANNEL_LINK_TEXT_MAX);
    if (len == CHANNEL_LINK_TEXT_MAX || len < scheme_len + KEY_TEXT_LEN) return ERR_FORMAT;
    if (strncasecmp(text, SCHEME, scheme_len) != 0) return ERR_FORMAT;
    const char *rest = text + scheme_len + KEY_TEXT_LEN;
    if (*rest != '\0' && *rest != '?') return ERR_FORMAT;

    struct channel_link link;
    memset(&link, 0, sizeof link);
    int err = key_parse(text + scheme_len, &link.channel);
    if (!err && *rest == '?') err = options_parse(rest + 1, &link);
    if (!err) *ret = link;
    secret_erase(&link, sizeof link);
    return err;
}

/* "?peer=" and so on, the value with all but the plainest characters as percent triplets: what a
 * shell or a chat would change must not be in a link. */
static void write_option(struct writer *w, bool *is_first, const char *name, const char *value) {
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:";
    static const char hex[] = "0123456789ABCDEF";
    write_u8(w, *is_first ? '?' : '&');
    *is_first = false;
    write_bytes(w, name, strlen(name));
    write_u8(w, '=');
    for (; *value != '\0'; value++) {
        uint8_t c = (uint8_t)*value;
        if (strchr(plain, c) != NULL) {
            write_u8(w, c);
        } else {
            write_u8(w, '%');
            write_u8(w, (uint8_t)hex[c >> 4]);
            write_u8(w, (uint8_t)hex[c & 15]);
        }
    }
}

int channel_link_format(const struct channel_link *link, char *ret) {
    assert(link->peers_len <= CHANNEL_LINK_PEERS_MAX);
    uint8_t bytes[PUBLIC_KEY_BYTES + CHECKSUM_BYTES];
    memcpy(bytes, link->channel.bytes, PUBLIC_KEY_BYTES);
    key_checksum(&link->channel, bytes + PUBLIC_KEY_BYTES);

    struct writer w = writer_init(ret, CHANNEL_LINK_TEXT_MAX);
    write_bytes(&w, SCHEME, sizeof SCHEME - 1);
    char key[KEY_TEXT_LEN];
    base32_write(bytes, sizeof bytes, key);
    write_bytes(&w, key, sizeof key);

    bool is_first = true;
    for (size_t i = 0; i < link->peers_len; i++)
        write_option(&w, &is_first, "peer", link->peers[i]);
    if (link->has_read_key) {
        char read_key[READ_KEY_TEXT_LEN + 1] = {0};
        base32_write(link->read_key.bytes, READ_KEY_BYTES, read_key);
        write_option(&w, &is_first, "read", read_key);
        secret_erase(read_key, sizeof read_key);
    }
    if (link->name[0] != '\0') write_option(&w, &is_first, "name", link->name);
    write_u8(&w, '\0');
    if (w.err) ret[0] = '\0';
    return w.err ? w.err : (int)writer_len(&w) - 1;
}
