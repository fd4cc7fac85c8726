#include "cli/nearest.h"

#include <string.h>

static size_t changes_count(const char *a, size_t a_len, const char *b, size_t b_len) {
    size_t rows[NEAREST_NAME_MAX + 1][NEAREST_NAME_MAX + 1];
    for (size_t i = 0; i <= a_len; i++) rows[i][0] = i;
    for (size_t j = 0; j <= b_len; j++) rows[0][j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        for (size_t j = 1; j <= b_len; j++) {
            size_t best = rows[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            best = size_min(best, rows[i - 1][j] + 1);
            best = size_min(best, rows[i][j - 1] + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = size_min(best, rows[i - 2][j - 2] + 1);
            rows[i][j] = best;
        }
    }
    return rows[a_len][b_len];
}

struct nearest nearest_init(const char *typed) {
    size_t len = strlen(typed);
    return (struct nearest){.typed = typed, .changes = size_min(NEAREST_CHANGES_MAX, len / 2) + 1};
}

void nearest_offer(struct nearest *nearest, const char *name) {
    size_t typed_len = strlen(nearest->typed), len = strlen(name);
    if (typed_len > NEAREST_NAME_MAX || len > NEAREST_NAME_MAX) return;
    size_t changes = changes_count(nearest->typed, typed_len, name, len);
    if (changes >= nearest->changes) return;
    nearest->changes = changes;
    nearest->name = name;
}
