#include "media/http_player.h"

#include <string.h>

const struct web_asset *http_player_find(const char *path) {
    for (size_t i = 0; i < web_assets_len; i++)
        if (strcmp(web_assets[i].path, path) == 0) return &web_assets[i];
    return NULL;
}
