#include "cli/link_read.h"

#include <string.h>

#include "cli/log.h"
#include "core/base/err.h"

#define QUOTED_MAX 80

/* Whether the part in front of the options is right: then it is one of them that is not. */
static bool key_is_right(const char *text, size_t len) {
    char key[CHANNEL_LINK_TEXT_MAX];
    struct channel_link link;
    if (text[len] == '\0' || len >= sizeof key) return false;
    memcpy(key, text, len);
    key[len] = '\0';
    return channel_link_parse(key, &link) == 0;
}

int link_read(const char *text, struct channel_link *ret) {
    size_t len = strcspn(text, "?");
    int quoted = (int)size_min(len, QUOTED_MAX); /* what follows can hold the key to read */
    int err = channel_link_parse(text, ret);
    if (err == ERR_CHECKSUM)
        log_error("link '%.*s': mistyped, its checksum does not match; copy it again", quoted,
                  text);
    else if (err && key_is_right(text, len))
        log_error("link '%.*s?...': what follows the '?' is malformed; expected peer=HOST:PORT, "
                  "name=TEXT or read=KEY, with '&' between them",
                  quoted, text);
    else if (err)
        log_error("link '%.*s': malformed; expected 'shoal:' and 56 letters and digits, as "
                  "'shoal broadcast' prints it",
                  quoted, text);
    return err;
}
