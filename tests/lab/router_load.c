#include "tests/lab/router_load.h"

#include <time.h>
#include <unistd.h>

#define SAMPLE_S_LEAST 0.2 /* the kernel counts in hundredths */

static uint64_t own_cpu_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

/* What all processors together idled, from the first line of /proc/stat (user nice system idle
 * iowait ...). The other figures there are samples taken at ticks, and miss most of what a process
 * does that sleeps for less than one: measured 6 % where 30 % was right. */
static double read_idle_s(void) {
    unsigned long long idle = 0, waiting = 0;
    FILE *f = fopen("/proc/stat", "re");
    if (f == NULL) return 0;
    if (fscanf(f, "cpu %*u %*u %*u %llu %llu", &idle, &waiting) != 2) idle = waiting = 0;
    fclose(f);
    return (double)(idle + waiting) / (double)sysconf(_SC_CLK_TCK);
}

void load_mark(struct load *l, uint64_t now_ns) {
    *l = (struct load){.marked_ns = now_ns, .own_cpu_ns = own_cpu_ns(), .sample_ns = now_ns};
    l->idle_s = read_idle_s();
}

void load_sample(struct load *l, uint64_t now_ns) {
    double seconds = (double)u64_sub(now_ns, l->sample_ns) / 1e9;
    if (seconds < SAMPLE_S_LEAST) return;
    double idle_s = read_idle_s(), all_s = seconds * (double)sysconf(_SC_NPROCESSORS_ONLN);
    double busy = 1 - (idle_s - l->idle_s) / all_s;
    if (busy < 0) busy = 0;
    if (busy > l->busy_most) l->busy_most = busy;
    l->busy_sum += busy * seconds;
    l->sampled_s += seconds;
    l->sample_ns = now_ns;
    l->idle_s = idle_s;
}

uint64_t load_deadline(const struct load *l) { return l->sample_ns + LOAD_SAMPLE_NS; }

struct complaints {
    FILE *out;
    unsigned len;
};

static FILE *complain(struct complaints *c) {
    fputs(c->len++ == 0 ? "\"" : ",\"", c->out);
    return c->out;
}

void load_print(const struct load *l, uint64_t refused, uint64_t unread, uint64_t now_ns,
                FILE *out) {
    double seconds = (double)u64_sub(now_ns, l->marked_ns) / 1e9;
    double busy = l->sampled_s > 0 ? l->busy_sum / l->sampled_s : 0;
    double cpu_s = (double)(own_cpu_ns() - l->own_cpu_ns) / 1e9;
    fprintf(out,
            "\"load\":{\"seconds\":%.3f,\"cpu_s\":%.3f,\"events\":%llu,\"late\":%llu,"
            "\"worst_ms\":%.3f,\"busy\":%.3f,\"busy_most\":%.3f},\"overload\":[",
            seconds, cpu_s, (unsigned long long)l->events, (unsigned long long)l->late,
            (double)l->worst_ns / 1e6, busy, l->busy_most);
    struct complaints c = {.out = out};
    if ((double)l->late > LOAD_LATE_SHARE * (double)l->events)
        fprintf(complain(&c), "%.2f %% of events were late by more than %llu ms\"",
                100 * (double)l->late / (double)l->events, LOAD_LATE_NS / 1000000);
    if (busy > LOAD_BUSY_SHARE) fprintf(complain(&c), "the machine was %.0f %% busy\"", 100 * busy);
    if (refused > 0) fprintf(complain(&c), "%llu packets refused\"", (unsigned long long)refused);
    if (unread > 0)
        fprintf(complain(&c), "%llu packets dropped before they were read\"",
                (unsigned long long)unread);
    fputc(']', out);
}
