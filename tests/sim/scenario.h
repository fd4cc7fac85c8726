/* scenario.h - what a simulated run is: a swarm, a network, what happens to them, and what must
 * come out.
 *
 * A scenario is a small text file in tests/sim/scenarios. Its first line is a comment that says
 * what it is; then one `name value` a line, `#` comments, `base NAME` first where it starts from
 * another one, `uplinks SHARE*RATIO...` for the classes, `expect FIGURE OPERATOR VALUE` for what
 * must hold. Expectations are a file's own: those of its base are about another network. The table
 * in scenario.def has every name with its unit, bounds and meaning: it makes the struct, the
 * parser, the flags of shoal-sim and its --help. A bare number is in the table's unit; k and M, ms,
 * s and min stand behind it where the unit allows. Anything else is refused with the file and line.
 */
#ifndef SCENARIO_H
#define SCENARIO_H

#include <stdbool.h>
#include <stdio.h>

#include "core/base/base.h"

#define SCENARIO_EXPECTATIONS_MAX 16
#define SCENARIO_CLASSES_MAX 4
#define SCENARIO_BASES_MAX 4 /* one on another; also what ends a circle of them */
#define SCENARIO_ECLIPSE_MAX 64
#define SCENARIO_WHY_MAX 512 /* room for every message */

/* A class of uplinks: `share` of the peers have `ratio` times the stream rate, before all are
 * scaled to the resource index. */
struct scenario_class {
    double share, ratio;
};

struct scenario_expectation {
    char figure[32];  /* a path into the report: "lag_ms.p99" */
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

/* The table's values and the uplinks of RS(N); no name, nothing expected. */
struct scenario scenario_default(void);
/* Reads tests/sim/scenarios/NAME.txt below `folder`, and what it is based on, and checks the whole.
 * Returns 0, or a negative error with one line about it (file:line: what is wrong, what would be
 * right) in `ret_why`; `ret` is untouched then. */
MUST_CHECK int scenario_load(const char *folder, const char *name, struct scenario *ret,
                             char *ret_why, size_t why_size);
/* One setting, as from a line of the file or a flag: "loss" "0.03". Both `_` and `-` are taken in a
 * name. Returns 0, or ERR_UNKNOWN, ERR_RANGE or ERR_FORMAT with the reason. */
MUST_CHECK int scenario_set(struct scenario *s, const char *name, const char *value, char *ret_why,
                            size_t why_size);
/* Takes the flag at argv[*at], as "--loss 0.03", "--loss=0.03", "--crypto" or "--crypto=no", and
 * moves `at` behind it. Returns 1, 0 where it is none of the table's (nothing moves), or a negative
 * error with the reason. `argv` ends with NULL. */
MUST_CHECK int scenario_take_flag(struct scenario *s, char *const *argv, int *at, char *ret_why,
                                  size_t why_size);
/* Whether the values agree with each other: delays in order, something to send, what happens
 * happens within the run. To be asked again after flags. Returns 0, or ERR_RANGE with the reason.
 */
MUST_CHECK int scenario_check(const struct scenario *s, char *ret_why, size_t why_size);
/* The flags that the table makes, for --help. */
void scenario_print_help(FILE *to);

#endif
