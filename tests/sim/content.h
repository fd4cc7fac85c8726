/* content.h - the bytes of a simulated fragment: they follow from its track and time alone, so that
 * what a viewer is handed can be checked. */
#ifndef CONTENT_H
#define CONTENT_H

#include "core/proto/fragment.h"

void content_fill(struct fragment *f);
bool content_is_genuine(const struct fragment *f);

#endif
