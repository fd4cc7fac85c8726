/* Lines and a status from several threads at once, for ThreadSanitizer: none is torn. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/log.h"

#define THREADS 4
#define LINES 500

static const char line[] = "shoal: abcdefghijklmnopqrstuvwxyz\n";

static void *write_lines(void *unused) {
    for (int i = 0; i < LINES; i++) {
        log_error("abcdefghijklmnopqrstuvwxyz");
        log_info("thread", "held back i=%d", i);
        log_status("i=%d", i);
        log_status_end();
    }
    return unused;
}

static int lines_count(const char *text) {
    int n = 0;
    for (; (text = strstr(text, line)) != NULL; text += strlen(line)) n++;
    return n;
}

int main(void) {
    pthread_t threads[THREADS];
    char *text;
    size_t len;
    FILE *to = open_memstream(&text, &len);
    if (to == NULL) return EXIT_FAILURE;
    log_start(&(struct log_config){.level = LOG_INFO, .to = to, .is_terminal = true});
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, write_lines, NULL) != 0) return EXIT_FAILURE;
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    fclose(to);
    int n = lines_count(text);
    free(text);
    if (n == THREADS * LINES) return EXIT_SUCCESS;
    fprintf(stderr, "%d whole lines of %d\n", n, THREADS * LINES);
    return EXIT_FAILURE;
}
