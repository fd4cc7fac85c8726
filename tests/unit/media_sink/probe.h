/* probe.h - what the ffmpeg program says of a file that a test has written. */
#ifndef PROBE_H
#define PROBE_H

#include <stdbool.h>
#include <stddef.h>

/* A directory of the test's own, removed by probe_clean. */
const char *probe_directory(void);
/* A path in it; valid until the eighth call after. */
const char *probe_path(const char *name);
void probe_clean(void);

/* Output of a shell command, zero-terminated; the caller frees it. */
char *probe_run(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* One line for each decoded frame of the stream ("v:0", "a:0"): its MD5 alone. Freed by the caller.
 */
char *probe_frame_hashes(const char *path, const char *stream);
size_t probe_count_lines(const char *text);
/* Everything that ffmpeg complains about while it decodes the whole file; empty where all is well.
 */
char *probe_complaints(const char *path);
/* Decode times of a stream in seconds. Returns how many there are, at most `max`. */
size_t probe_dts(const char *path, const char *stream, double *ret, size_t max);
bool probe_is_growing(const double *times, size_t n);

#endif
