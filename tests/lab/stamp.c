/* stamp.c - media whose every piece says when it was made, for measuring how late others carry it.
 *
 *   stamp send BPS FPS udp PORT...   to ports of 127.0.0.1, seven packets a datagram
 *   stamp send BPS FPS out           to standard output, each frame behind its length (4 bytes)
 *   stamp send BPS FPS hls FOLDER    as segments of a second with a playlist
 *   stamp receive                    from standard input; "FRAME CAPTURE_US LAG_US" for each frame,
 *                                    once all of it is there
 *
 * The media are MPEG-TS packets of 188 bytes, numbered within their frame; nothing plays them.
 * Times are of the machine's monotonic clock, which all hosts of a lab share. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/base/bytes.h"

#define PACKET 188
#define PACKETS_MAX 1024 /* of a frame: 46 Mb/s at 30 frames a second */
#define A_DATAGRAM 7
#define PORTS_MAX 64
#define FRAMES_MAX 1024   /* frames in a row of which parts may be on their way */
#define MAGIC 0x47010010u /* sync byte, PID 256, payload alone */
#define MAGIC_OWN 0x5354414du
#define SEGMENTS 5 /* in the playlist, */
#define SEGMENTS_KEPT 10

enum { AT_OWN = 4, AT_FRAME = 8, AT_INDEX = 12, AT_COUNT = 16, AT_HIGH = 20, AT_LOW = 24 };

struct sender {
    unsigned bps, fps, packets;
    uint32_t frame;
    int udp;
    uint16_t ports[PORTS_MAX];
    unsigned ports_len;
    const char *folder;
    FILE *segment;
};

static int fail(const char *what) {
    fprintf(stderr, "stamp: %s: %s\n", what, strerror(errno));
    return 1;
}

static uint64_t now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * US_PER_S + (uint64_t)t.tv_nsec / 1000;
}

static void wait_until(uint64_t us) {
    struct timespec t = {.tv_sec = (time_t)(us / US_PER_S),
                         .tv_nsec = (long)(us % US_PER_S) * 1000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR) {
    }
}

static void make_frame(const struct sender *s, uint64_t capture_us, uint8_t *ret) {
    for (unsigned i = 0; i < s->packets; i++) {
        uint8_t *p = ret + (size_t)i * PACKET;
        memset(p, (int)(s->frame + i), PACKET);
        store_u32(p, MAGIC | (i & 15));
        store_u32(p + AT_OWN, MAGIC_OWN);
        store_u32(p + AT_FRAME, s->frame);
        store_u32(p + AT_INDEX, i);
        store_u32(p + AT_COUNT, s->packets);
        store_u32(p + AT_HIGH, (uint32_t)(capture_us >> 32));
        store_u32(p + AT_LOW, (uint32_t)capture_us);
    }
}

/* A port that nobody listens at yet refuses; the datagram is lost, as it would be on the way. */
static int put_udp(const struct sender *s, const uint8_t *frame) {
    for (unsigned at = 0; at < s->packets; at += A_DATAGRAM) {
        unsigned n = s->packets - at < A_DATAGRAM ? s->packets - at : A_DATAGRAM;
        for (unsigned i = 0; i < s->ports_len; i++) {
            struct sockaddr_in to = {.sin_family = AF_INET,
                                     .sin_port = htons(s->ports[i]),
                                     .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
            if (sendto(s->udp, frame + (size_t)at * PACKET, (size_t)n * PACKET, 0,
                       (const struct sockaddr *)&to, sizeof to) < 0 &&
                errno != ECONNREFUSED)
                return fail("sendto");
        }
    }
    return 0;
}

static int put_out(const struct sender *s, const uint8_t *frame) {
    uint8_t len[4];
    store_u32(len, s->packets * PACKET);
    fwrite(len, sizeof len, 1, stdout);
    fwrite(frame, PACKET, s->packets, stdout);
    return fflush(stdout) == 0 ? 0 : fail("standard output");
}

/* The new playlist takes the place of the old one at once: nobody reads half of it. */
static int put_playlist(const struct sender *s, unsigned newest) {
    char path[512], name[520];
    snprintf(path, sizeof path, "%s/live.m3u8", s->folder);
    snprintf(name, sizeof name, "%s.new", path);
    FILE *f = fopen(name, "w");
    if (f == NULL) return fail(name);
    unsigned first = newest + 1 < SEGMENTS ? 0 : newest + 1 - SEGMENTS;
    fprintf(f, "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:%u\n",
            first);
    for (unsigned i = first; i <= newest; i++) fprintf(f, "#EXTINF:1.0,\n%u.ts\n", i);
    if (fclose(f) != 0 || rename(name, path) != 0) return fail(path);
    snprintf(path, sizeof path, "%s/%u.ts", s->folder, newest - SEGMENTS_KEPT);
    if (newest >= SEGMENTS_KEPT) unlink(path);
    return 0;
}

static int put_segment(struct sender *s, const uint8_t *frame) {
    char path[512];
    unsigned number = s->frame / s->fps;
    snprintf(path, sizeof path, "%s/%u.ts", s->folder, number);
    if (s->frame % s->fps == 0) s->segment = fopen(path, "w");
    if (s->segment == NULL) return fail(path);
    fwrite(frame, PACKET, s->packets, s->segment);
    if ((s->frame + 1) % s->fps != 0) return 0;
    if (fclose(s->segment) != 0) return fail(path);
    return put_playlist(s, number);
}

static int send_all(struct sender *s) {
    static uint8_t frame[PACKETS_MAX * PACKET];
    uint64_t start_us = now_us();
    for (;; s->frame++) {
        uint64_t capture_us = start_us + s->frame * US_PER_S / s->fps;
        wait_until(capture_us);
        make_frame(s, capture_us, frame);
        int err = s->folder != NULL ? put_segment(s, frame)
                  : s->udp >= 0     ? put_udp(s, frame)
                                    : put_out(s, frame);
        if (err) return err;
    }
}

static int send_main(int argc, char **argv) {
    struct sender s = {.udp = -1};
    if (argc < 5) return -1;
    s.bps = (unsigned)strtoul(argv[2], NULL, 10);
    s.fps = (unsigned)strtoul(argv[3], NULL, 10);
    if (s.fps == 0) return -1;
    s.packets = s.bps / 8 / s.fps / PACKET;
    if (s.packets == 0 || s.packets > PACKETS_MAX) return -1;
    if (strcmp(argv[4], "udp") == 0) {
        for (int i = 5; i < argc && s.ports_len < PORTS_MAX; i++)
            s.ports[s.ports_len++] = (uint16_t)strtoul(argv[i], NULL, 10);
        s.udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (s.udp < 0) return fail("socket");
    } else if (strcmp(argv[4], "hls") == 0 && argc == 6) {
        s.folder = argv[5];
    } else if (strcmp(argv[4], "out") != 0) {
        return -1;
    }
    return send_all(&s);
}

/* Frames under way, by number. */
struct frame {
    uint32_t number;
    unsigned count;
    uint64_t have[PACKETS_MAX / 64];
};

static void take(struct frame *frames, const uint8_t *p) {
    uint32_t number = load_u32(p + AT_FRAME);
    unsigned index = load_u32(p + AT_INDEX), count = load_u32(p + AT_COUNT);
    struct frame *f = &frames[number % FRAMES_MAX];
    if (index >= count || count > PACKETS_MAX) return;
    if (f->number != number || f->count == 0) *f = (struct frame){.number = number};
    uint64_t bit = 1ull << index % 64;
    if (f->have[index / 64] & bit) return;
    f->have[index / 64] |= bit;
    if (++f->count < count) return;
    uint64_t capture_us = (uint64_t)load_u32(p + AT_HIGH) << 32 | load_u32(p + AT_LOW);
    uint64_t at_us = now_us();
    printf("%u %llu %llu\n", number, (unsigned long long)capture_us,
           (unsigned long long)(at_us - capture_us));
}

static int receive_main(void) {
    static struct frame frames[FRAMES_MAX];
    static uint8_t buffer[64 * PACKET];
    size_t len = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (ssize_t n; (n = read(STDIN_FILENO, buffer + len, sizeof buffer - len)) != 0;) {
        if (n < 0 && errno != EINTR) return fail("standard input");
        if (n > 0) len += (size_t)n;
        size_t at = 0;
        while (at + PACKET <= len) {
            bool is_packet = (load_u32(buffer + at) & ~15u) == MAGIC &&
                             load_u32(buffer + at + AT_OWN) == MAGIC_OWN;
            if (is_packet) take(frames, buffer + at);
            at += is_packet ? PACKET : 1; /* what was cut is passed over */
        }
        memmove(buffer, buffer + at, len - at);
        len -= at;
    }
    return 0;
}

int main(int argc, char **argv) {
    int status = -1;
    if (argc >= 2 && strcmp(argv[1], "send") == 0) status = send_main(argc, argv);
    if (argc == 2 && strcmp(argv[1], "receive") == 0) status = receive_main();
    if (status >= 0) return status;
    fprintf(stderr, "usage: stamp send BPS FPS udp PORT... | out | hls FOLDER; stamp receive\n");
    return 2;
}
