/* What people go on air with, and how a broadcast ends: the viewer's recording holds all of it, to
 * the last picture, and both say why they stop. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/e2e/recorded.h"
#include "tests/e2e/stage.h"

#define SECONDS "5"
#define PICTURE "testsrc2=size=320x180:rate=25:duration=" SECONDS
#define TONE "sine=frequency=440:sample_rate=48000:duration=" SECONDS
#define X264 "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"

TestSuite(inputs, .init = stage_open, .fini = stage_close);

static void run(const char *const *argv) {
    struct process *p = process_start(&(struct process_config){.argv = argv});
    must(p != NULL, "%s does not run", argv[0]);
    must(program_wait_exit(p) == 0, "%s: %s", argv[0], process_output(p, PROCESS_ERR));
    process_free(p);
}
#define FFMPEG(...) run((const char *const[]){"ffmpeg", "-v", "error", "-y", __VA_ARGS__, NULL})

struct showing {
    struct actor *source, *viewer;
    char source_file[PATH_MAX], viewer_file[PATH_MAX];
    bool has_video, has_audio;
};

static void watch(struct showing *s, const char *ending) {
    char link[STAGE_LINK_MAX], name[32];
    snprintf(name, sizeof name, "viewer.%s", ending);
    stage_link(s->source, link);
    s->viewer = stage_start("viewer", "join", link, "-o", stage_file(name, s->viewer_file),
                            "--http", "off", NULL);
}

/* The viewer has all that the source showed from the picture where it came in. */
static void check_to_the_end(const struct recorded_track *part, const struct recorded_track *whole,
                             const char *what) {
    ptrdiff_t at = recorded_find(part, whole);
    must(at >= 0, "%s: not the source's", what);
    must((size_t)at + part->len == whole->len, "%s: %zu of %zu from %td on", what, part->len,
         whole->len, at);
}

static void check_recordings(const struct showing *s) {
    struct recorded part, whole;
    recorded_read(&whole, s->source_file, s->has_video, s->has_audio);
    recorded_read(&part, s->viewer_file, s->has_video, s->has_audio);
    if (s->has_video) check_to_the_end(&part.video, &whole.video, "pictures");
    if (s->has_audio) check_to_the_end(&part.audio, &whole.audio, "sound");
    recorded_free(&part);
    recorded_free(&whole);
}

/* The source ends by itself and says so, and the viewer when it has written the last of it. */
static void ends_well(const struct showing *s) {
    actor_wait_said(s->source, "info on-air: the input has ended: so does the broadcast");
    cr_assert_eq(actor_wait_exit(s->source), 0);
    actor_wait_said(s->viewer, "info channel: the broadcast has ended");
    cr_assert_eq(actor_wait_exit(s->viewer), 0);
    actor_missed_nothing(s->viewer);
    check_recordings(s);
}

Test(inputs, a_file_with_both_is_seen_to_its_last_picture) {
    char file[PATH_MAX];
    struct showing s = {.has_video = true, .has_audio = true};
    FFMPEG("-f", "lavfi", "-i", PICTURE, "-f", "lavfi", "-i", TONE, X264, "-c:a", "aac",
           stage_file("film.mp4", file));
    s.source = stage_start("source", "broadcast", file, "--preset", "ultrafast", "-o",
                           stage_file("source.mkv", s.source_file), NULL);
    watch(&s, "mp4");
    ends_well(&s);
}

Test(inputs, mpegts_on_standard_input_is_seen_to_its_last_picture) {
    char pipe[PATH_MAX];
    struct showing s = {.has_video = true, .has_audio = true};
    cr_assert_eq(mkfifo(stage_file("pipe", pipe), 0600), 0);
    const char *const argv[] = {"ffmpeg", "-v",   "error", "-y", "-f",     "lavfi", "-i",
                                PICTURE,  "-f",   "lavfi", "-i", TONE,     X264,    "-g",
                                "25",     "-c:a", "aac",   "-f", "mpegts", pipe,    NULL};
    struct process *sender = process_start(&(struct process_config){.argv = argv});
    cr_assert_not_null(sender);
    s.source = stage_start_with(
        &(struct actor_config){.name = "source", .command = "broadcast", .stdin_path = pipe}, "-",
        "--preset", "ultrafast", "-o", stage_file("source.mkv", s.source_file), NULL);
    watch(&s, "mkv");
    ends_well(&s);
    cr_assert_eq(program_wait_exit(sender), 0);
}

Test(inputs, a_picture_without_sound_is_seen_to_its_end) {
    char file[PATH_MAX];
    struct showing s = {.has_video = true};
    FFMPEG("-f", "lavfi", "-i", PICTURE, X264, stage_file("silent.mkv", file));
    s.source = stage_start("source", "broadcast", file, "--preset", "ultrafast", "-o",
                           stage_file("source.mp4", s.source_file), NULL);
    watch(&s, "ts");
    ends_well(&s);
}

Test(inputs, sound_without_a_picture_is_heard_to_its_end) {
    char file[PATH_MAX];
    struct showing s = {.has_audio = true};
    FFMPEG("-f", "lavfi", "-i", TONE, stage_file("tone.wav", file));
    s.source = stage_start("source", "broadcast", file, "-o",
                           stage_file("source.mkv", s.source_file), NULL);
    watch(&s, "ts");
    ends_well(&s);
}

/* Two seconds of film, five of broadcast; SIGINT ends it with a signed end. */
Test(inputs, a_looped_file_goes_on_until_it_is_interrupted) {
    char file[PATH_MAX];
    struct showing s = {.has_video = true, .has_audio = true};
    FFMPEG("-f", "lavfi", "-t", "2", "-i", PICTURE, "-f", "lavfi", "-t", "2", "-i", TONE, X264,
           "-c:a", "aac", stage_file("short.mp4", file));
    s.source = stage_start("source", "broadcast", "--loop", file, "--preset", "ultrafast", "-o",
                           stage_file("source.mkv", s.source_file), NULL);
    watch(&s, "mp4");
    actor_wait(s.viewer, "chunks.ok", 100);
    cr_assert_eq(actor_stop(s.source, SIGINT), 0);
    cr_assert_eq(actor_wait_exit(s.viewer), 0);
    actor_missed_nothing(s.viewer);
    check_recordings(&s);
}

Test(inputs, what_goes_on_air_can_be_piped_to_a_player_beside) {
    struct showing s = {.has_video = true, .has_audio = true};
    char link[STAGE_LINK_MAX];
    s.source = stage_start_with(
        &(struct actor_config){.name = "source",
                               .command = "broadcast",
                               .stdout_path = stage_file("source.ts", s.source_file)},
        SMALL, "--preset", "ultrafast", "-o", "-", NULL);
    int err = process_wait_line(s.source->process, PROCESS_ERR, "link ", STAGE_DEADLINE_US, link,
                                sizeof link);
    must(err == 0, "no link on standard error");
    s.viewer = stage_start("viewer", "join", link, "--http", "off", "-o",
                           stage_file("viewer.ts", s.viewer_file), NULL);
    actor_wait(s.viewer, "chunks.ok", 60);
    cr_assert_eq(actor_stop(s.source, SIGINT), 0);
    cr_assert_eq(actor_wait_exit(s.viewer), 0);
    check_recordings(&s);
}

/* A sender of which all is heard up to a moment, and then its machine resets the connection. */
static void send_and_reset(int listener, const char *path) {
    char buffer[1 << 14];
    int to = accept(listener, NULL, NULL), from = open(path, O_RDONLY | O_CLOEXEC);
    if (to < 0 || from < 0) _exit(1);
    ssize_t n;
    while ((n = read(from, buffer, sizeof buffer)) > 0)
        if (write(to, buffer, (size_t)n) != n) _exit(2);
    setsockopt(to, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
    close(to);
    _exit(0);
}

static pid_t start_sender(const char *path, char address[64]) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(listener >= 0 && bind(listener, (struct sockaddr *)&at, sizeof at) == 0);
    cr_assert(listen(listener, 1) == 0);
    cr_assert_eq(getsockname(listener, (struct sockaddr *)&at, &len), 0);
    snprintf(address, 64, "tcp://127.0.0.1:%u", ntohs(at.sin_port));
    pid_t sender = fork();
    cr_assert_geq(sender, 0);
    if (sender == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        send_and_reset(listener, path);
    }
    close(listener);
    return sender;
}

Test(inputs, an_input_that_breaks_off_says_why_and_fails) {
    char pipe[PATH_MAX], address[64];
    int status;
    struct showing s = {.has_video = true, .has_audio = true};
    cr_assert_eq(mkfifo(stage_file("pipe", pipe), 0600), 0);
    const char *const argv[] = {"ffmpeg", "-v",  "error", "-y",     "-re", "-f", "lavfi", "-i",
                                PICTURE,  "-f",  "lavfi", "-i",     TONE,  X264, "-g",    "25",
                                "-c:a",   "aac", "-f",    "mpegts", pipe,  NULL};
    struct process *camera = process_start(&(struct process_config){.argv = argv});
    cr_assert_not_null(camera);
    pid_t sender = start_sender(pipe, address);
    s.source = stage_start("source", "broadcast", address, "--preset", "ultrafast", "-o",
                           stage_file("source.mkv", s.source_file), NULL);
    watch(&s, "ts");
    cr_assert_eq(actor_wait_exit(s.source), 1);
    must(actor_has_said(s.source, "shoal: input 'tcp://127.0.0.1:"), "the input is not named");
    must(actor_has_said(s.source, "Connection reset by peer"), "the reason is not named");
    must(!actor_has_said(s.viewer, "has ended"), "a source that fails may come again");
    cr_assert_eq(actor_stop(s.viewer, SIGTERM), 0);
    check_recordings(&s);
    cr_assert(waitpid(sender, &status, 0) == sender && WEXITSTATUS(status) == 0);
    cr_assert_eq(program_wait_exit(camera), 0);
}
