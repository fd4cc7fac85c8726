/* http_player.h - the player page: the files of media/web/, built into the program.
 *
 * The table is written by scripts/embed-web when the program is built. The page asks for
 * /status.json, one object, and relies on these fields (a field that is not known is null):
 *
 *   state      "searching" (no broadcast found yet), "waiting" (found, but nothing comes),
 *              "on_air" or "ended"
 *   title      of the broadcast
 *   codecs     of its video and audio, as in "avc1.64001f, mp4a.40.2"; one may be missing
 *   broadcast  a number or text that changes when another broadcast begins
 *   lag_ms     behind live, when what is received now was captured
 *   links      neighbours that we are connected to
 *   viewers    known in the swarm */
#ifndef HTTP_PLAYER_H
#define HTTP_PLAYER_H

#include "core/base/base.h"

struct web_asset {
    const char *path; /* as asked for */
    const char *type; /* MIME */
    const uint8_t *data;
    size_t len;
};

extern const struct web_asset web_assets[];
extern const size_t web_assets_len;

/* NULL where there is none. */
const struct web_asset *http_player_find(const char *path);

/* Nothing from elsewhere, nothing inline, no frame around it. */
#define PLAYER_POLICY                                                                              \
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "                \
    "media-src 'self' blob:; img-src 'self'; base-uri 'none'; form-action 'none'; "                \
    "frame-ancestors 'none'"

#endif
