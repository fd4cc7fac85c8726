/* Links: any text, and any options behind a link that is right, with and without a read key, since
 * no fuzzer guesses a checksum or 52 digits. What is taken must come back the same from the text
 * that is made of it. */
#include "core/proto/channel_link.h"
#include "tests/fuzz/fuzz.h"

static void try_text(const char *text) {
    static struct channel_link link, again;
    char formatted[CHANNEL_LINK_TEXT_MAX];
    if (channel_link_parse(text, &link) != 0) return;
    int len = channel_link_format(&link, formatted);
    assert(len > 0 && (size_t)len == strlen(formatted));
    int err = channel_link_parse(formatted, &again);
    assert(err == 0);
    assert(public_key_equal(&link.channel, &again.channel));
    assert(link.has_read_key == again.has_read_key);
    assert(memcmp(&link.read_key, &again.read_key, sizeof link.read_key) == 0);
    assert(strcmp(link.name, again.name) == 0 && link.peers_len == again.peers_len);
    for (size_t i = 0; i < link.peers_len; i++) assert(strcmp(link.peers[i], again.peers[i]) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static char text[2 * CHANNEL_LINK_TEXT_MAX];
    struct channel_link plain = {.has_read_key = size % 2 == 0};
    if (size > CHANNEL_LINK_TEXT_MAX) return 0;
    fuzz_start();
    memcpy(text, data, size);
    text[size] = '\0';
    try_text(text);

    plain.channel = fuzz_key(1).public;
    int len = channel_link_format(&plain, text);
    assert(len > 0);
    text[len++] = plain.has_read_key ? '&' : '?';
    memcpy(text + len, data, size);
    text[(size_t)len + size] = '\0';
    try_text(text);
    return 0;
}
