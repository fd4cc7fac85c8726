#include "tests/sim/report.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* --- the histogram --- */

void lag_histogram_add(struct lag_histogram *h, uint64_t lag_us) {
    h->total++;
    if (lag_us == TIME_NEVER) {
        h->infinite++;
        return;
    }
    h->bins[u64_min(lag_us / US_PER_MS, REPORT_LAG_BINS - 1)]++;
    h->max_us = u64_max(h->max_us, lag_us);
}

double lag_histogram_quantile(const struct lag_histogram *h, double q) {
    if (h->total == 0) return 0;
    uint64_t wanted = u64_max((uint64_t)ceil(q * (double)h->total), 1), seen = 0;
    for (unsigned i = 0; i < REPORT_LAG_BINS; i++) {
        seen += h->bins[i];
        if (seen < wanted) continue;
        bool is_last = i == REPORT_LAG_BINS - 1;
        return is_last ? fmax((double)h->max_us / (double)US_PER_MS, REPORT_LAG_BINS) : i + 1.0;
    }
    return INFINITY;
}

void report_finish(struct report *r) {
    r->lag_p50_ms = lag_histogram_quantile(&r->lag, 0.5);
    r->lag_p99_ms = lag_histogram_quantile(&r->lag, 0.99);
    r->lag_p999_ms = lag_histogram_quantile(&r->lag, 0.999);
    r->lag_max_ms = r->lag.infinite > 0 ? INFINITY : (double)r->lag.max_us / (double)US_PER_MS;
}

/* --- figures by their paths --- */

/* A row of report.def; text and the hash are no figures. */
struct field {
    enum { FIELD_NUMBER, FIELD_TEXT, FIELD_HASH } kind;
    const char *group, *name;
    int digits;
    double number;
    const char *text;
    uint64_t hash;
};

#define FIELDS_MAX 40
#define REPORT_FIGURE(group, name, member, digits)                                                 \
    {FIELD_NUMBER, group, name, digits, (double)r->member, NULL, 0},
#define REPORT_TEXT(name, member) {FIELD_TEXT, "", name, 0, 0, r->member, 0},
#define REPORT_HASH(name, member) {FIELD_HASH, "", name, 0, 0, NULL, r->member},

static unsigned fields_of(const struct report *r, struct field ret[FIELDS_MAX]) {
    const struct field fields[] = {
#include "tests/sim/report.def"
    };
    _Static_assert(ARRAY_LEN(fields) <= FIELDS_MAX, "too small");
    memcpy(ret, fields, sizeof fields);
    return ARRAY_LEN(fields);
}

static bool path_is(const struct field *f, const char *path) {
    size_t len = strlen(f->group);
    if (f->kind != FIELD_NUMBER) return false;
    if (len == 0) return strcmp(f->name, path) == 0;
    return strncmp(f->group, path, len) == 0 && path[len] == '.' &&
           strcmp(f->name, path + len + 1) == 0;
}

bool report_figure(const struct report *r, const char *path, double *ret) {
    struct field fields[FIELDS_MAX + 3];
    unsigned len = fields_of(r, fields);
    fields[len++] =
        (struct field){.group = "", .name = "within_1s_settled", .number = r->within_1s_settled};
    fields[len++] =
        (struct field){.group = "", .name = "honest_banned", .number = (double)r->honest_banned};
    fields[len++] = (struct field){.group = "", .name = "recovery_s", .number = r->recovery_s};
    for (unsigned i = 0; i < len; i++) {
        if (!path_is(&fields[i], path)) continue;
        *ret = fields[i].number;
        return true;
    }
    return false;
}

bool report_has_figure(const char *path) {
    static const struct report none;
    double ignored;
    return report_figure(&none, path, &ignored);
}

/* --- JSON --- */

static void print_number(FILE *to, double number, int digits) {
    if (isfinite(number))
        fprintf(to, "%.*f", digits, number);
    else
        fputs("null", to);
}

static void print_value(FILE *to, const struct field *f) {
    if (f->kind == FIELD_NUMBER) print_number(to, f->number, f->digits);
    if (f->kind == FIELD_TEXT) fprintf(to, "\"%s\"", f->text); /* letters, digits and "-" */
    /* Text, as 64 bits are more than a JSON number is sure to keep. */
    if (f->kind == FIELD_HASH) fprintf(to, "\"%016" PRIx64 "\"", f->hash);
}

static void print_fields(const struct report *r, FILE *to) {
    struct field fields[FIELDS_MAX];
    unsigned len = fields_of(r, fields);
    const char *open = "";
    for (unsigned i = 0; i < len; i++) {
        const struct field *f = &fields[i];
        bool is_first = i == 0;
        if (strcmp(open, f->group) != 0) {
            if (*open != '\0') fputs("}", to);
            if (*f->group != '\0') fprintf(to, ",\"%s\":{", f->group);
            is_first = *f->group != '\0';
            open = f->group;
        }
        fprintf(to, "%s\"%s\":", is_first ? "" : ",", f->name);
        print_value(to, f);
    }
}

void report_print_json(const struct report *r, FILE *to) {
    fputs("{", to);
    print_fields(r, to);
    fputs("}\n", to);
}

void report_print_json_seconds(const struct report *r, FILE *to) {
    fputs("{", to);
    print_fields(r, to);
    fputs(",\"seconds\":[", to);
    for (unsigned i = 0; i < r->seconds_len; i++) {
        const struct report_second *s = &r->seconds[i];
        fprintf(to, "%s{\"lag_ms\":{\"p50\":", i > 0 ? "," : "");
        print_number(to, s->lag_p50_ms, 1);
        fputs(",\"p99\":", to);
        print_number(to, s->lag_p99_ms, 1);
        fprintf(to,
                "},\"peers\":%" PRIu64 ",\"media\":%" PRIu64 ",\"headers\":%" PRIu64
                ",\"control\":%" PRIu64 ",\"duplicate\":%" PRIu64 ",\"repair\":%" PRIu64
                ",\"source_bytes\":%" PRIu64 "}",
                s->peers, s->media, s->headers, s->control, s->duplicate, s->repair,
                s->source_bytes);
    }
    fputs("]}\n", to);
}

/* --- for people --- */

/* "312 ms", "1.20 s", or "never". */
static const char *ms_text(double ms, char ret[32]) {
    if (!isfinite(ms)) return "never";
    if (ms < 1000)
        snprintf(ret, 32, "%.0f ms", ms);
    else
        snprintf(ret, 32, "%.2f s", ms / 1000);
    return ret;
}

void report_print_text(const struct report *r, FILE *to) {
    char a[32], b[32], c[32], d[32];
    fprintf(to, "scenario      %s, %u peers, seed %" PRIu64 "\n", r->scenario, r->peers, r->seed);
    fprintf(to, "lag           p50 %s, p99 %s, p99.9 %s, max %s\n", ms_text(r->lag_p50_ms, a),
            ms_text(r->lag_p99_ms, b), ms_text(r->lag_p999_ms, c), ms_text(r->lag_max_ms, d));
    fprintf(to, "chunks        %.3f %% within 1 s; %.2f %% of the peers missed none\n",
            100 * r->within_1s, 100 * r->stall_free);
    fprintf(to, "source        uploads %.2f stream rates\n", r->source_upload_x);
    fprintf(to,
            "overhead      %.1f %%: headers %.1f, control %.1f, duplicates %.1f, repairs %.1f\n",
            100 * r->overhead_total, 100 * r->overhead_headers, 100 * r->overhead_control,
            100 * r->overhead_duplicate, 100 * r->overhead_repair);
    fprintf(to, "start         p50 %s, p95 %s\n", ms_text(r->startup_p50_ms, a),
            ms_text(r->startup_p95_ms, b));
    fprintf(to, "failover      p50 %s, p99 %s\n", ms_text(r->failover_p50_ms, a),
            ms_text(r->failover_p99_ms, b));
    if (r->free_rider_lag_ms > 0)
        fprintf(to, "free riders   lag p99 %s\n", ms_text(r->free_rider_lag_ms, a));
    fprintf(to, "hostile       %" PRIu64 " unverified delivered, %" PRIu64 " honest banned",
            r->unverified_delivered, r->honest_banned);
    fprintf(to, ", back within %s\n", ms_text(1000 * r->recovery_s, a));
    fprintf(to, "simulator     %.0f s in %.1f s of CPU (%.2fx), %.2f M events/s, %.0f MB\n",
            r->simulated_s, r->cpu_s, r->speed_x, r->events_per_cpu_s / 1e6, r->rss_mb);
    fprintf(to, "trace         %016" PRIx64 "\n", r->trace);
}

/* --- expectations --- */

static bool holds(double value, const char *operator, double bound) {
    if (strcmp(operator, "<=") == 0) return value <= bound;
    if (strcmp(operator, ">=") == 0) return value >= bound;
    if (strcmp(operator, "<") == 0) return value < bound;
    if (strcmp(operator, ">") == 0) return value > bound;
    return strcmp(operator, "==") == 0 && value >= bound && value <= bound;
}

unsigned report_check(const struct report *r, const struct scenario *s, FILE *to) {
    unsigned broken = 0;
    for (unsigned i = 0; i < s->expectations_len; i++) {
        const struct scenario_expectation *e = &s->expectations[i];
        double value = 0;
        bool is_known = report_figure(r, e->figure, &value);
        if (is_known && holds(value, e->operator, e->value)) continue;
        broken++;
        if (is_known)
            fprintf(to, "%s, seed %" PRIu64 ": %s is %.6g, expected %s %.6g\n", s->name, r->seed,
                    e->figure, value, e->operator, e->value);
        else
            fprintf(to, "%s: no such figure: %s\n", s->name, e->figure);
    }
    return broken;
}
