#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "tests/lab/router.h"

#define WORDS_MAX 32
#define SPACES " \t\r\n"

/* A figure that can be set, by its place in its struct. */
struct figure {
    const char *name;
    size_t offset;
    double least, most;
};

static const struct figure host_figures[] = {
    {"up", offsetof(struct router_host, up.rate_bps), 0, 1e11},
    {"down", offsetof(struct router_host, down.rate_bps), 0, 1e11},
    {"up_queue", offsetof(struct router_host, up.queue_ms), 0, 60000},
    {"down_queue", offsetof(struct router_host, down.queue_ms), 0, 60000},
    {"delay", offsetof(struct router_host, delay_ms), 0, 60000},
    {"mtu", offsetof(struct router_host, mtu), 576, ROUTER_MTU},
    {"cut", offsetof(struct router_host, cut), 0, 1},
    {"group", offsetof(struct router_host, group), 0, ROUTER_HOSTS_MAX},
};

static const struct figure path_figures[] = {
    {"delay", offsetof(struct shape_path, delay_ms), 0, 60000},
    {"jitter", offsetof(struct shape_path, jitter_ms), 0, 60000},
    {"reorder", offsetof(struct shape_path, reorder), 0, 1},
    {"loss", offsetof(struct shape_path, loss), 0, 1},
    {"burst", offsetof(struct shape_path, burst), 1, 10000},
    {"mtu", offsetof(struct shape_path, mtu), 576, ROUTER_MTU},
    {"reach", offsetof(struct shape_path, reach), 0, 1},
};

struct setting {
    size_t offset;
    double value;
};

struct words {
    const char *at[WORDS_MAX];
    size_t len;
};

static struct words split(char *line) {
    struct words w = {0};
    char *rest = NULL;
    for (char *s = strtok_r(line, SPACES, &rest); s != NULL && w.len < WORDS_MAX;
         s = strtok_r(NULL, SPACES, &rest))
        w.at[w.len++] = s;
    return w;
}

static int read_setting(const char *word, const struct figure *figures, size_t len,
                        struct setting *ret) {
    const char *equals = strchr(word, '=');
    for (size_t i = 0; equals != NULL && i < len; i++) {
        if (strlen(figures[i].name) != (size_t)(equals - word) ||
            strncmp(word, figures[i].name, (size_t)(equals - word)) != 0)
            continue;
        char *end;
        double value = strtod(equals + 1, &end);
        if (end == equals + 1 || *end != 0) return ERR_FORMAT;
        if (!(value >= figures[i].least && value <= figures[i].most)) return ERR_RANGE;
        *ret = (struct setting){figures[i].offset, value};
        return 0;
    }
    return ERR_NOT_FOUND;
}

/* Words from `first` on. All are read before the first is obeyed. Returns how many, or an error
 * with the word that is wrong. */
static int read_settings(const struct words *w, size_t first, const struct figure *figures,
                         size_t len, struct setting *ret, const char **ret_bad) {
    for (size_t i = first; i < w->len; i++) {
        int err = read_setting(w->at[i], figures, len, &ret[i - first]);
        *ret_bad = w->at[i];
        if (err != 0) return err;
    }
    return (int)w->len - (int)first;
}

static void apply(void *to, const struct setting *settings, int n) {
    for (int i = 0; i < n; i++)
        memcpy((char *)to + settings[i].offset, &settings[i].value, sizeof(double));
}

static bool matches(const struct router *r, unsigned host, const char *pattern) {
    return strcmp(pattern, "*") == 0 || strcmp(pattern, r->hosts[host].name) == 0;
}

static bool is_known(const struct router *r, const char *pattern) {
    return strcmp(pattern, "*") == 0 || router_find_name(r, pattern) >= 0;
}

static int answer(FILE *out, int err, const char *about) {
    if (err >= 0)
        fputs("ok\n", out);
    else
        fprintf(out, "error %s: %s\n", about, err_text(err));
    return err;
}

static int command_host(struct router *r, const struct words *w, uint64_t now_ns, FILE *out) {
    (void)now_ns;
    if (strlen(w->at[1]) >= ROUTER_NAME_MAX) return answer(out, ERR_RANGE, w->at[1]);
    int host = router_host_add(r, w->at[1], w->at[2]);
    return answer(out, host, w->at[1]);
}

static int command_address(struct router *r, const struct words *w, uint64_t now_ns, FILE *out) {
    (void)now_ns;
    int host = router_find_name(r, w->at[1]);
    if (host < 0) return answer(out, ERR_NOT_FOUND, w->at[1]);
    int err = router_host_set_addresses(r, (unsigned)host, w->at + 2, w->len - 2);
    return answer(out, err, "an address");
}

static int command_nat(struct router *r, const struct words *w, uint64_t now_ns, FILE *out) {
    (void)now_ns;
    int host = router_find_name(r, w->at[1]);
    if (host < 0) return answer(out, ERR_NOT_FOUND, w->at[1]);
    enum nat_kind kind = nat_kind_named(w->at[2]);
    double timeout_s = strtod(w->at[5], NULL);
    struct ip_address inside, outside;
    if (kind == NAT_NONE) return answer(out, ERR_ARGUMENT, w->at[2]);
    if (ip_address_parse(w->at[3], &inside) != 0) return answer(out, ERR_ARGUMENT, w->at[3]);
    if (ip_address_parse(w->at[4], &outside) != 0) return answer(out, ERR_ARGUMENT, w->at[4]);
    if (!(timeout_s > 0 && timeout_s <= 86400)) return answer(out, ERR_RANGE, w->at[5]);
    int err = router_host_set_addresses(r, (unsigned)host, &w->at[4], 1);
    if (err == 0)
        r->hosts[host].nat = (struct nat){.kind = kind,
                                          .inside = inside,
                                          .outside = outside,
                                          .timeout_ns = (uint64_t)(timeout_s * NS_PER_S)};
    return answer(out, err, w->at[4]);
}

static int command_set(struct router *r, const struct words *w, uint64_t now_ns, FILE *out) {
    (void)now_ns;
    struct setting settings[WORDS_MAX];
    const char *bad = w->at[1];
    if (!is_known(r, w->at[1])) return answer(out, ERR_NOT_FOUND, bad);
    int n = read_settings(w, 2, host_figures, ARRAY_LEN(host_figures), settings, &bad);
    for (unsigned i = 0; i < r->hosts_len; i++)
        if (matches(r, i, w->at[1])) apply(&r->hosts[i], settings, n);
    return answer(out, n, bad);
}

static int set_paths(struct router *r, const struct words *w, bool both, FILE *out) {
    struct setting settings[WORDS_MAX];
    const char *a = w->at[1], *b = w->at[2], *bad = a;
    if (!is_known(r, a)) return answer(out, ERR_NOT_FOUND, a);
    if (!is_known(r, b)) return answer(out, ERR_NOT_FOUND, b);
    int n = read_settings(w, 3, path_figures, ARRAY_LEN(path_figures), settings, &bad);
    for (unsigned i = 0; i < r->hosts_len; i++)
        for (unsigned k = 0; k < r->hosts_len; k++)
            if ((matches(r, i, a) && matches(r, k, b)) ||
                (both && matches(r, i, b) && matches(r, k, a)))
                apply(&r->paths[i][k], settings, n);
    return answer(out, n, bad);
}

static int command_path(struct router *r, const struct words *w, uint64_t now_ns, FILE *out) {
    (void)now_ns;
    return set_paths(r, w, true, out);
}

static int command_oneway(struct router *r, const struct words *w, uint64_t now_ns, FILE *out) {
    (void)now_ns;
    return set_paths(r, w, false, out);
}

static int command_seed(struct router *r, const struct words *w, uint64_t now_ns, FILE *out) {
    (void)now_ns;
    r->rng = rng_init(strtoull(w->at[1], NULL, 10));
    return answer(out, 0, "");
}

static int command_mark(struct router *r, const struct words *w, uint64_t now_ns, FILE *out) {
    (void)w;
    load_mark(&r->load, now_ns);
    return answer(out, 0, "");
}

static int command_stats(struct router *r, const struct words *w, uint64_t now_ns, FILE *out) {
    (void)w;
    uint64_t unread = 0;
    load_sample(&r->load, now_ns);
    fputs("ok {\"hosts\":{", out);
    for (size_t i = 0; i < r->hosts_len; i++) {
        unread += router_host_unread(&r->hosts[i]);
        fprintf(out, "%s\"%s\":{", i == 0 ? "" : ",", r->hosts[i].name);
        count_print(&r->hosts[i].counts, out);
        fputc('}', out);
    }
    fputs("},", out);
    load_print(&r->load, r->refused, unread, now_ns, out);
    fputs("}\n", out);
    return 0;
}

struct command {
    const char *name, *usage;
    size_t words_least;
    int (*run)(struct router *r, const struct words *w, uint64_t now_ns, FILE *out);
};

static const struct command commands[] = {
    {"host", "NAME NAMESPACE", 3, command_host},
    {"address", "HOST ADDRESS...", 2, command_address},
    {"nat", "HOST KIND INSIDE OUTSIDE SECONDS", 6, command_nat},
    {"set", "HOST|* FIGURE=VALUE...", 3, command_set},
    {"path", "HOST|* HOST|* FIGURE=VALUE...", 4, command_path},
    {"oneway", "HOST|* HOST|* FIGURE=VALUE...", 4, command_oneway},
    {"seed", "NUMBER", 2, command_seed},
    {"mark", "", 1, command_mark},
    {"stats", "", 1, command_stats},
};

bool router_command(struct router *r, char *line, uint64_t now_ns, FILE *out) {
    struct words w = split(line);
    if (w.len == 1 && strcmp(w.at[0], "quit") == 0) {
        fputs("ok\n", out);
        return false;
    }
    for (size_t i = 0; w.len > 0 && i < ARRAY_LEN(commands); i++) {
        if (strcmp(commands[i].name, w.at[0]) != 0) continue;
        if (w.len < commands[i].words_least)
            fprintf(out, "error usage: %s %s\n", commands[i].name, commands[i].usage);
        else
            commands[i].run(r, &w, now_ns, out);
        return true;
    }
    fprintf(out, "error no such command\n");
    return true;
}
