/* page.h - --http: the player's page of a viewer, and the figures of a relay. */
#ifndef PAGE_H
#define PAGE_H

#include "cli/host.h"
#include "media/http_server.h"

#define PAGE_URL_MAX 128

struct page;

/* NULL in `ret` where --http is off, or a relay was not told to serve. `channel` is whose state the
 * page shows. Errors were logged. */
MUST_CHECK int page_open(struct page **ret, const struct options *options, struct host *host,
                         bool has_player, int channel);
/* Before the host is closed. NULL is allowed. */
void page_close(struct page *p);
const char *page_url(const struct page *p);
/* The tracks of what follows. */
void page_tracks(struct page *p, const struct track *tracks, size_t n);
void page_push(struct page *p, struct fragment *f);

#endif
