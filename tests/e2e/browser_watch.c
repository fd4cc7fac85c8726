/* browser_watch.c - from the source's encoder to a real browser: "shoal broadcast", "shoal join",
 * and Chromium on the page that the viewer serves. */
#include <stdio.h>

#include "tests/e2e/stage.h"

#define DRIVER "tests/lib/browser_page.py"

int main(void) {
    char link[STAGE_LINK_MAX], page[STAGE_LINK_MAX];
    stage_open();
    struct actor *source =
        stage_start("source", "broadcast", "--size", "640x360", "--bitrate", "1M", "--preset",
                    "ultrafast", "--title", "Herring at the harbour wall", NULL);
    stage_link(source, link);
    struct actor *viewer = stage_start("viewer", "join", link, NULL);
    int err = process_wait_line(viewer->process, PROCESS_OUT, "page ", STAGE_DEADLINE_US, page,
                                sizeof page);
    must(err == 0, "the viewer printed no page");
    struct process *browser = process_run(NULL, "python3", DRIVER, page, "live", NULL);
    must(browser != NULL, "python3 does not run");
    int status = program_wait_exit(browser);
    fputs(process_output(browser, PROCESS_ERR), stderr);
    must(status == 0, "the page does not play");
    actor_missed_nothing(viewer);
    stage_close();
    return 0;
}
