#include "cli/link_line.h"

#include <string.h>

#include "core/base/err.h"

int link_line_print(FILE *to, const struct keyfile *key, const struct hosts *peers,
                    const char *name) {
    struct channel_link link;
    char text[CHANNEL_LINK_TEXT_MAX];
    keyfile_link(key, &link);
    link.peers_len = peers->len;
    for (size_t i = 0; i < peers->len; i++)
        memcpy(link.peers[i], peers->text[i], sizeof *link.peers);
    if (name != NULL) snprintf(link.name, sizeof link.name, "%s", name);
    int len = channel_link_format(&link, text);
    if (len >= 0 && (fprintf(to, "link %s\n", text) < 0 || fflush(to) != 0)) len = ERR_SYSTEM;
    secret_erase(&link, sizeof link);
    secret_erase(text, sizeof text);
    return len < 0 ? len : 0;
}
