/* base.h - the few macros that every file may use. */
#ifndef BASE_H
#define BASE_H

#include <stddef.h>
#include <stdint.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_at, args_at) __attribute__((format(printf, format_at, args_at)))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#define US_PER_MS 1000ull
#define US_PER_S 1000000ull

/* No time is later: "no deadline". */
#define TIME_NEVER UINT64_MAX

static inline uint64_t u64_min(uint64_t a, uint64_t b) { return a < b ? a : b; }
static inline uint64_t u64_max(uint64_t a, uint64_t b) { return a > b ? a : b; }
static inline size_t size_min(size_t a, size_t b) { return a < b ? a : b; }
static inline size_t size_max(size_t a, size_t b) { return a > b ? a : b; }

/* a - b, or 0 where b is the larger: for durations between times that may be out of order. */
static inline uint64_t u64_sub(uint64_t a, uint64_t b) { return a > b ? a - b : 0; }

#endif
