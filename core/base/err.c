#include "core/base/err.h"

static const char *const texts[ERR_COUNT] = {[ERR_NONE] = "no error",
#define X(name, text) [ERR_POSITION_##name] = text,
                                             ERR_LIST(X)
#undef X
};

const char *err_text(int err) {
    if (err >= 0) return texts[ERR_NONE];
    if (err <= -(int)ERR_COUNT) return "an unknown error";
    return texts[-err];
}
