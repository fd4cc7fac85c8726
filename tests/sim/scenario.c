#include "tests/sim/scenario.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"

#define NUMBER_TEXT_MAX 24

enum kind { KIND_double, KIND_unsigned, KIND_bool };

struct parameter {
    const char *name;
    enum kind kind;
    size_t offset; /* in struct scenario */
    double least, most, initial;
    const char *unit, *help;
};

static const struct parameter parameters[] = {
#define SCENARIO_FIELD(name, type, least, most, initial, unit, help)                               \
    {#name, KIND_##type, offsetof(struct scenario, name), least, most, initial, unit, help},
#include "tests/sim/scenario.def"
#undef SCENARIO_FIELD
};

/* What may stand behind a number of each unit. */
static const struct suffix {
    const char *unit, *text;
    double factor;
} suffixes[] = {
    {"", "k", 1e3},  {"", "M", 1e6},   {"b/s", "k", 1e3}, {"b/s", "M", 1e6}, {"bytes", "k", 1e3},
    {"ms", "ms", 1}, {"ms", "s", 1e3}, {"s", "s", 1},     {"s", "ms", 1e-3}, {"s", "min", 60},
};

PRINTF_LIKE(4, 5)
static int refuse(int err, char *ret_why, size_t why_size, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(ret_why, why_size, format, args);
    va_end(args);
    return err;
}

static void store(struct scenario *s, const struct parameter *p, double value) {
    void *at = (char *)s + p->offset;
    if (p->kind == KIND_double) *(double *)at = value;
    if (p->kind == KIND_unsigned) *(unsigned *)at = (unsigned)value;
    if (p->kind == KIND_bool) *(bool *)at = value != 0;
}

struct scenario scenario_default(void) {
    struct scenario s = {.classes_len = 3, .classes = {{0.15, 5}, {0.45, 1}, {0.4, 0.25}}};
    for (size_t i = 0; i < ARRAY_LEN(parameters); i++)
        store(&s, &parameters[i], parameters[i].initial);
    return s;
}

static bool name_is(const char *name, const char *given) {
    while (*name != '\0' && (*name == *given || (*name == '_' && *given == '-'))) name++, given++;
    return *name == '\0' && *given == '\0';
}

static const struct parameter *parameter_find(const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(parameters); i++)
        if (name_is(parameters[i].name, name)) return &parameters[i];
    return NULL;
}

/* Digits with at most one point, as much of it as there is; returns what stands behind, or NULL. */
static const char *number_parse(const char *text, double *ret) {
    char digits[NUMBER_TEXT_MAX], *end;
    size_t len = strspn(text, "0123456789.");
    if (len == 0 || len >= sizeof digits) return NULL;
    memcpy(digits, text, len);
    digits[len] = '\0';
    *ret = strtod(digits, &end);
    return end == digits + len ? text + len : NULL;
}

/* A number in the table's unit. Returns 0 or ERR_FORMAT. */
static int quantity_parse(const struct parameter *p, const char *text, double *ret) {
    const char *rest = number_parse(text, ret);
    if (rest == NULL) return ERR_FORMAT;
    if (*rest == '\0') return 0;
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        const struct suffix *s = &suffixes[i];
        if (strcmp(s->unit, p->unit) != 0 || strcmp(s->text, rest) != 0) continue;
        *ret *= s->factor;
        return 0;
    }
    return ERR_FORMAT;
}

static int bool_parse(const char *text, double *ret) {
    static const char *const words[][2] = {{"no", "yes"}, {"0", "1"}};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        for (size_t j = 0; j < 2; j++)
            if (strcmp(text, words[i][j]) == 0) {
                *ret = (double)j;
                return 0;
            }
    return ERR_FORMAT;
}

static int refuse_value(const struct parameter *p, int err, const char *value, char *ret_why,
                        size_t why_size) {
    if (p->kind == KIND_bool)
        return refuse(err, ret_why, why_size, "%s '%.60s': expected yes or no", p->name, value);
    int len = snprintf(ret_why, why_size, "%s '%.60s': expected a %snumber from %.12g to %.12g%s%s",
                       p->name, value, p->kind == KIND_unsigned ? "whole " : "", p->least, p->most,
                       *p->unit ? " " : "", p->unit);
    const char *between = ", or with ";
    for (size_t i = 0; i < ARRAY_LEN(suffixes) && (size_t)len < why_size; i++) {
        /* A share is not counted in thousands. */
        if (strcmp(suffixes[i].unit, p->unit) != 0 || p->most < suffixes[i].factor) continue;
        len += snprintf(ret_why + len, why_size - (size_t)len, "%s%s", between, suffixes[i].text);
        between = ", ";
    }
    return err;
}

/* "0.15*5 0.45*1 0.4*0.25": shares that add up to 1, times ratios. */
static int uplinks_set(struct scenario *s, const char *value, char *ret_why, size_t why_size) {
    static const char right[] = "expected 1 to 4 of SHARE*RATIO with shares that add up to 1 and "
                                "ratios up to 100, as in 0.15*5 0.45*1 0.4*0.25";
    struct scenario_class classes[SCENARIO_CLASSES_MAX];
    double sum = 0;
    unsigned len = 0;
    for (const char *at = value + strspn(value, " \t"); *at != '\0'; at += strspn(at, " \t")) {
        if (len == SCENARIO_CLASSES_MAX)
            return refuse(ERR_RANGE, ret_why, why_size, "uplinks '%.60s': %s", value, right);
        struct scenario_class *c = &classes[len++];
        at = number_parse(at, &c->share);
        if (at != NULL) at = *at == '*' ? number_parse(at + 1, &c->ratio) : NULL;
        if (at == NULL || !strchr(" \t", *at))
            return refuse(ERR_FORMAT, ret_why, why_size, "uplinks '%.60s': %s", value, right);
        sum += c->share;
        if (c->ratio > 100)
            return refuse(ERR_RANGE, ret_why, why_size, "uplinks '%.60s': %s", value, right);
    }
    if (fabs(sum - 1) > 1e-6)
        return refuse(ERR_RANGE, ret_why, why_size, "uplinks '%.60s': %s", value, right);
    memcpy(s->classes, classes, len * sizeof classes[0]);
    s->classes_len = len;
    return 0;
}

int scenario_set(struct scenario *s, const char *name, const char *value, char *ret_why,
                 size_t why_size) {
    if (name_is("uplinks", name)) return uplinks_set(s, value, ret_why, why_size);
    const struct parameter *p = parameter_find(name);
    if (p == NULL)
        return refuse(ERR_UNKNOWN, ret_why, why_size,
                      "'%.60s': no such parameter; shoal-sim --help lists them", name);
    double number = 0;
    int err = p->kind == KIND_bool ? bool_parse(value, &number) : quantity_parse(p, value, &number);
    if (!err && p->kind == KIND_unsigned && number != floor(number)) err = ERR_FORMAT;
    if (!err && (number < p->least || number > p->most)) err = ERR_RANGE;
    if (err) return refuse_value(p, err, value, ret_why, why_size);
    store(s, p, number);
    return 0;
}

int scenario_take_flag(struct scenario *s, char *const *argv, int *at, char *ret_why,
                       size_t why_size) {
    const char *flag = argv[*at];
    if (flag == NULL || strncmp(flag, "--", 2) != 0) return 0;
    char name[sizeof s->name];
    size_t len = strcspn(flag + 2, "=");
    if (len >= sizeof name) return 0;
    memcpy(name, flag + 2, len);
    name[len] = '\0';
    const struct parameter *p = parameter_find(name);
    if (p == NULL && !name_is("uplinks", name)) return 0;
    int taken = 1;
    const char *value = flag[2 + len] == '=' ? flag + 2 + len + 1 : NULL;
    if (value == NULL && p != NULL && p->kind == KIND_bool) value = "yes";
    if (value == NULL) value = argv[*at + taken++];
    if (value == NULL) return refuse(ERR_FORMAT, ret_why, why_size, "%s: needs a value", flag);
    char reason[SCENARIO_WHY_MAX];
    int err = scenario_set(s, name, value, reason, sizeof reason);
    for (char *c = reason; err && *c != ' '; c++)
        if (*c == '_') *c = '-';
    if (err) return refuse(err, ret_why, why_size, "--%s", reason);
    *at += taken;
    return 1;
}

int scenario_check(const struct scenario *s, char *ret_why, size_t why_size) {
    const char *ill = NULL;
    if (s->delay_least > s->delay_mean || s->delay_mean > s->delay_most)
        ill = "delay_least, delay_mean and delay_most must be in this order";
    else if (s->find_median > s->find_p95)
        ill = "find_median must be at most find_p95";
    else if (s->bitrate == 0 && s->audio == 0)
        ill = "bitrate and audio are both 0: there is nothing to send";
    else if (s->free_riders + s->polluters + s->replayers > 1)
        ill = "free_riders, polluters and replayers must be at most 1 together";
    else if (s->crowd_share > 0 && s->crowd_at + s->crowd_over > s->seconds)
        ill = "crowd_at + crowd_over must be at most seconds";
    else if (s->kill_share > 0 && s->kill_at >= s->seconds)
        ill = "kill_at must be less than seconds";
    else if (s->partition_share > 0 && s->partition_at >= s->seconds)
        ill = "partition_at must be less than seconds";
    else if (s->source_restart_at >= s->seconds)
        ill = "source_restart_at must be less than seconds";
    else if (s->source_cut_at >= s->seconds)
        ill = "source_cut_at must be less than seconds";
    return ill == NULL ? 0 : refuse(ERR_RANGE, ret_why, why_size, "%s", ill);
}

void scenario_print_help(FILE *to) {
    for (size_t i = 0; i < ARRAY_LEN(parameters); i++) {
        const struct parameter *p = &parameters[i];
        char flag[sizeof((struct scenario){0}.name) + 8];
        snprintf(flag, sizeof flag, "--%s%s", p->name, p->kind == KIND_bool ? "" : " X");
        for (char *c = flag; *c != '\0'; c++)
            if (*c == '_') *c = '-';
        fprintf(to, "  %-28s %s", flag, p->help);
        if (p->kind == KIND_bool)
            fputs("\n", to);
        else
            fprintf(to, " (%.12g%s%s)\n", p->initial, *p->unit ? " " : "", p->unit);
    }
    fprintf(to, "  %-28s %s\n", "--uplinks 'SHARE*RATIO...'",
            "classes of uplinks (0.15*5 0.45*1 0.4*0.25)");
}
