#include "cli/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define PLACES_MAX 64 /* of the code, whose lines are counted */
#define COLUMNS_DEFAULT 80

/* How often one place in the code has written. */
struct place {
    const char *format;
    uint64_t window_us; /* when its window began */
    unsigned written;
    unsigned held; /* back, since the window began */
};

static struct {
    pthread_mutex_t lock;
    struct log_config config;
    struct place places[PLACES_MAX];
    char status[LOG_LINE_MAX];
    bool status_stands; /* on the terminal's bottom line */
    bool status_written;
    uint64_t status_us;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER, .config = {.level = LOG_INFO}};

static uint64_t clock_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * US_PER_S + (uint64_t)t.tv_nsec / 1000;
}

static uint64_t now_us(void) { return state.config.now_us ? state.config.now_us() : clock_us(); }

static FILE *to(void) { return state.config.to ? state.config.to : stderr; }

void log_start(const struct log_config *config) {
    pthread_mutex_lock(&state.lock);
    state.config = *config;
    memset(state.places, 0, sizeof state.places);
    state.status_stands = state.status_written = false;
    pthread_mutex_unlock(&state.lock);
}

void log_start_stderr(enum log_level level) {
    log_start(&(struct log_config){
        .level = level, .to = stderr, .is_terminal = isatty(STDERR_FILENO) == 1});
}

bool log_is_on(enum log_level level) { return level <= state.config.level; }

/* The place's entry, in the way of a cache: a full table forgets the oldest. */
static struct place *place_of(const char *format, uint64_t now) {
    struct place *oldest = &state.places[0];
    for (size_t i = 0; i < PLACES_MAX; i++) {
        struct place *p = &state.places[i];
        if (p->format == format) return p;
        if (p->window_us < oldest->window_us) oldest = p;
    }
    *oldest = (struct place){.format = format, .window_us = now};
    return oldest;
}

/* Whether the line may be written, and how many before it were not. */
static bool place_allows(const char *format, unsigned *ret_held) {
    uint64_t now = now_us();
    struct place *p = place_of(format, now);
    *ret_held = 0;
    if (now - p->window_us >= LOG_WINDOW_US) {
        *ret_held = p->held;
        *p = (struct place){.format = format, .window_us = now};
    }
    if (p->written < LOG_BURST) {
        p->written++;
        return true;
    }
    p->held++;
    return false;
}

static void make_printable(char *text) {
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f) *text = '?';
}

/* Erases the bottom line, so that something else can stand there. */
static void status_hide(void) {
    if (state.status_stands) fputs("\r\033[K", to());
    state.status_stands = false;
}

static void status_show(void) {
    struct winsize size;
    int columns = COLUMNS_DEFAULT;
    if (ioctl(fileno(to()), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) columns = size.ws_col;
    fprintf(to(), "%.*s", columns - 1, state.status);
    state.status_stands = true;
}

static void line_write(enum log_level level, const char *area, const char *text, unsigned held) {
    static const char *const levels[] = {"", "warn ", "info ", "debug ", "trace "};
    bool stood = state.status_stands;
    status_hide();
    fprintf(to(), "%s%s: %s", levels[level], area, text);
    if (held > 0) fprintf(to(), " held_back=%u", held);
    fputc('\n', to());
    if (stood) status_show();
    fflush(to());
}

void log_line(enum log_level level, const char *area, const char *format, ...) {
    char text[LOG_LINE_MAX];
    unsigned held = 0;
    va_list args;
    pthread_mutex_lock(&state.lock);
    bool is_counted = level != LOG_ERROR && level != LOG_TRACE;
    if (log_is_on(level) && (!is_counted || place_allows(format, &held))) {
        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        make_printable(text);
        line_write(level, area, text, held);
    }
    pthread_mutex_unlock(&state.lock);
}

static void status_update(void) {
    uint64_t now = now_us();
    if (state.config.is_terminal) {
        status_hide();
        status_show();
        fflush(to());
    } else if (!state.status_written || now - state.status_us >= LOG_STATUS_EVERY_US) {
        state.status_written = true;
        state.status_us = now;
        line_write(LOG_INFO, "status", state.status, 0);
    }
}

void log_status(const char *format, ...) {
    va_list args;
    pthread_mutex_lock(&state.lock);
    va_start(args, format);
    vsnprintf(state.status, sizeof state.status, format, args);
    va_end(args);
    make_printable(state.status);
    if (log_is_on(LOG_INFO)) status_update();
    pthread_mutex_unlock(&state.lock);
}

void log_status_end(void) {
    pthread_mutex_lock(&state.lock);
    if (state.status_stands) fputc('\n', to());
    state.status_stands = false;
    fflush(to());
    pthread_mutex_unlock(&state.lock);
}
