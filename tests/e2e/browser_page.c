/* browser_page.c - the player page in a real browser: Chromium, driven by tests/lib/browser_page.py
 * over WebDriver, plays a broadcast that this program makes in real time.
 *
 * The script says on its standard output what the channel is to be next: "state NAME" with NAME
 * from media/http_player.h, or "broadcast" for another broadcast. Its exit status is the result. */
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "media/http_server.h"
#include "tests/lib/test_media.h"

#define DRIVER "tests/lib/browser_page.py"
#define DEADLINE_S 120
#define FRAMES (60 * 25)

struct page_test {
    struct event_base *base;
    struct http_server *server;
    struct test_media *media;
    char state[32];
    unsigned broadcast;
    uint64_t started_us; /* of the broadcast */
    size_t next;         /* fragment to be published */
    char line[256];      /* of the script, as far as it has come */
    size_t line_len;
};

static uint64_t now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * US_PER_S + (uint64_t)t.tv_nsec / 1000;
}

static void must(bool condition, const char *what) {
    if (condition) return;
    fprintf(stderr, "browser_page: %s\n", what);
    exit(1);
}

static bool is_on_air(const struct page_test *t) { return strcmp(t->state, "on_air") == 0; }

static int write_status(void *owner, char *ret, size_t capacity) {
    const struct page_test *t = owner;
    const struct track *tracks = t->media->tracks;
    return snprintf(ret, capacity,
                    "{\"state\":\"%s\",\"title\":\"Herring at the harbour wall\",\"codecs\":\"%s, "
                    "%s\",\"broadcast\":%u,\"lag_ms\":180,\"links\":7,\"viewers\":23}\n",
                    t->state, tracks[0].codec, tracks[1].codec, t->broadcast);
}

static void start_broadcast(struct page_test *t) {
    int err = http_server_set_tracks(t->server, t->media->tracks, t->media->tracks_len);
    must(err == 0, "the tracks are refused");
    t->broadcast++;
    t->started_us = now_us();
    t->next = 0;
    snprintf(t->state, sizeof t->state, "on_air");
}

/* What has been captured up to now. */
static void on_tick(evutil_socket_t fd, short what, void *arg) {
    (void)fd;
    (void)what;
    struct page_test *t = arg;
    uint64_t media_us = now_us() - t->started_us;
    while (is_on_air(t) && t->next < t->media->len) {
        struct fragment *f = t->media->fragments[t->next];
        if (f->pts_us + f->duration_us > media_us) break;
        http_server_push(t->server, f);
        t->next++;
    }
}

static void obey(struct page_test *t) {
    if (strcmp(t->line, "broadcast") == 0) start_broadcast(t);
    if (strncmp(t->line, "state ", 6) == 0) snprintf(t->state, sizeof t->state, "%s", t->line + 6);
}

static void on_script(evutil_socket_t fd, short what, void *arg) {
    (void)what;
    struct page_test *t = arg;
    char c;
    if (read(fd, &c, 1) != 1) {
        event_base_loopbreak(t->base);
        return;
    }
    if (c == '\n') {
        t->line[t->line_len] = '\0';
        printf("  %s\n", t->line);
        obey(t);
        t->line_len = 0;
    } else if (t->line_len + 1 < sizeof t->line) {
        t->line[t->line_len++] = c;
    }
}

static pid_t start_script(struct page_test *t, int *ret_fd) {
    int fds[2];
    char url[128];
    snprintf(url, sizeof url, "http://%s/", http_server_address(t->server));
    must(pipe(fds) == 0, "no pipe");
    fflush(stdout);
    pid_t pid = fork();
    must(pid >= 0, "no process");
    if (pid == 0) {
        dup2(fds[1], STDOUT_FILENO);
        close(fds[0]);
        close(fds[1]);
        execlp("python3", "python3", DRIVER, url, (char *)NULL);
        _exit(127);
    }
    close(fds[1]);
    *ret_fd = fds[0];
    return pid;
}

int main(void) {
    struct page_test t = {.base = event_base_new(), .state = "searching"};
    t.media =
        test_media_new(&(struct test_media_config){.frames = FRAMES, .width = 640, .height = 360});
    struct http_server_config config = {
        .listen = "127.0.0.1:0", .has_player = true, .status = write_status, .owner = &t};
    char why[HTTP_WHY_MAX];
    must(http_server_open(&t.server, t.base, &config, why, sizeof why) == 0, why);

    int script_fd;
    pid_t script = start_script(&t, &script_fd);
    struct event *tick = event_new(t.base, -1, EV_PERSIST, on_tick, &t);
    struct event *lines = event_new(t.base, script_fd, EV_READ | EV_PERSIST, on_script, &t);
    event_add(tick, &(struct timeval){.tv_usec = 5000});
    event_add(lines, NULL);
    event_base_loopexit(t.base, &(struct timeval){.tv_sec = DEADLINE_S});
    event_base_dispatch(t.base);

    int status = -1;
    if (waitpid(script, &status, WNOHANG) == 0 && !event_base_got_break(t.base))
        kill(script, SIGTERM); /* it ends the browser */
    if (!WIFEXITED(status)) waitpid(script, &status, 0);
    event_free(tick);
    event_free(lines);
    close(script_fd);
    http_server_free(t.server);
    event_base_free(t.base);
    test_media_free(t.media);
    bool passed = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    printf("browser_page: %s\n", passed ? "passed" : "FAILED");
    return passed ? 0 : 1;
}
