#include "cli/link_read.h"

#include "cli/log.h"
#include "core/base/err.h"

int link_read(const char *text, struct channel_link *ret) {
    int err = channel_link_parse(text, ret);
    if (err == ERR_CHECKSUM)
        log_error("shoal", "link '%.80s': mistyped, its checksum does not match; copy it again",
                  text);
    else if (err)
        log_error("shoal",
                  "link '%.80s': malformed; expected 'shoal:' and 56 letters and digits, as "
                  "'shoal broadcast' prints it",
                  text);
    return err;
}
