/* scenario.h - what a simulated run is: a swarm, a network, what happens to them, and what must
 * come out.
 *
 * A scenario is a small text file in tests/sim/scenarios: one `name value` a line, `#` comments,
 * `base NAME` first where it starts from another one, `expect FIGURE OPERATOR VALUE` for what must
 * hold. The table in scenario.def has every name with its unit, bounds and meaning: it makes the
 * struct, the parser, the flags of shoal-sim and its --help. Anything else is refused with the
 * file and line. */
#ifndef SCENARIO_H
#define SCENARIO_H

#include <stdbool.h>
#include <stdio.h>

#include "core/base/base.h"

#define SCENARIO_EXPECTATIONS_MAX 16
#define SCENARIO_CLASSES_MAX 4

/* A class of uplinks: `share` of the peers have `ratio` times the stream rate, before all are
 * scaled to the resource index. */
struct scenario_class {
    double share, ratio;
};

struct scenario_expectation {
    char figure[32]; /* a path into the report: "lag_ms.p99" */
    char operator[3]; /* "<=", ">=", "==", "<", ">" */
    double value;
};

struct scenario {
    char name[32];
    char description[128]; /* first comment of the file */
#define SCENARIO_FIELD(name, type, least, most, initial, unit, help) type name;
#include "tests/sim/scenario.def"
#undef SCENARIO_FIELD
    unsigned classes_len;
    struct scenario_class classes[SCENARIO_CLASSES_MAX]; /* `uplinks 0.15*5 0.45*1 0.4*0.25` */
    unsigned expectations_len;
    struct scenario_expectation expectations[SCENARIO_EXPECTATIONS_MAX];
};

struct scenario scenario_default(void);
/* Reads tests/sim/scenarios/NAME.txt below `folder`, and what it is based on. Returns 0, or a
 * negative error with one line about it (file:line: what is wrong, what would be right) in `ret_why`. */
MUST_CHECK int scenario_load(const char *folder, const char *name, struct scenario *ret,
                             char *ret_why, size_t why_size);
/* One setting, as from a line of the file or a flag: "loss" "0.03". Returns 0 or ERR_RANGE,
 * ERR_FORMAT with the reason. */
MUST_CHECK int scenario_set(struct scenario *s, const char *name, const char *value, char *ret_why,
                            size_t why_size);
/* The flags that the table makes, for --help. */
void scenario_print_help(FILE *to);

#endif
