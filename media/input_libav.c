/* input_libav.c - the driver of everything that libavformat opens: files, pipes, addresses, capture
 * devices. */
#include <libavformat/avformat.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "media/decoder.h"
#include "media/descriptor_io.h"
#include "media/input.h"
#include "media/input_address.h"
#include "media/libav_log.h"
#include "media/read_ahead.h"

/* A device that has nothing yet is asked again after this long. */
#define DEVICE_LOOK_US (2 * US_PER_MS)
/* Packets in a row without a frame: then nothing in the input can be decoded. */
#define FRUITLESS_PACKETS_MAX 50000u

enum { VIDEO, AUDIO, STREAMS }; /* numbers of read_ahead's streams */

struct libav_input {
    struct input_address address;
    struct descriptor_io descriptor;
    AVFormatContext *format;
    struct decoder decoders[STREAMS];
    struct decoder *active; /* frames may wait in it */
    struct timeline timeline;
    struct read_ahead ahead;
    bool loop;
    uint64_t probe_us; /* how long it took to find out what is inside */
    bool drained;      /* the decoders were told that the input is at its end */
    uint64_t frames;   /* since the input's start, or the loop's */
    unsigned fruitless;
};

static bool libav_takes(const struct source_config *config) {
    (void)config;
    return true;
}

static int is_interrupted(void *opaque) { return interrupt_is_due(opaque) ? 1 : 0; }

/* An error number of libavformat's to one of ours, and the line. */
static int fail_libav(struct input *in, int err) {
    if (interrupt_is_late(in->interrupt))
        return input_fail(in, ERR_TIMEOUT, ": nothing came from it in time");
    if (interrupt_is_due(in->interrupt)) return input_fail(in, ERR_STATE, ": interrupted");
    /* Not recognised at all: the demuxers that know what they have before them say more. */
    if (err == AVERROR_INVALIDDATA && !libav_log_has_line())
        return input_fail(in, ERR_UNSUPPORTED, " holds neither audio nor video");
    char text[LIBAV_TEXT_MAX];
    int ret = ERR_UNSUPPORTED;
    if (err == AVERROR(ENOENT)) ret = ERR_NOT_FOUND;
    if (err == AVERROR(EIO) || err == AVERROR(ECONNREFUSED)) ret = ERR_SYSTEM;
    if (err == AVERROR(ENOMEM)) ret = ERR_MEMORY;
    return input_fail(in, ret, ": %s", libav_error_text(err, text));
}

/* Opens the container and reads as much as it takes to know what is inside. */
static int open_format(struct input *in, struct libav_input *l) {
    AVFormatContext *f = l->format = avformat_alloc_context();
    if (f == NULL) return input_fail(in, ERR_MEMORY, ": out of memory");
    f->interrupt_callback = (AVIOInterruptCB){is_interrupted, in->interrupt};
    struct input_address *a = &l->address;
    if (a->kind == INPUT_DESCRIPTOR) {
        int fd = a->fd;
        a->fd = -1; /* descriptor_io's from here on */
        if (descriptor_io_init(&l->descriptor, fd, a->fd_owned, in->interrupt))
            return input_fail(in, ERR_MEMORY, ": out of memory");
        f->pb = l->descriptor.context;
    }
    if (a->kind == INPUT_DEVICE) f->flags |= AVFMT_FLAG_NONBLOCK | AVFMT_FLAG_NOBUFFER;
    if (a->kind == INPUT_URL && !a->listens)
        interrupt_set_deadline(in->interrupt, clock_monotonic_us() + SOURCE_OPEN_US);

    AVDictionary *options = NULL;
    if (a->listen_option) av_dict_set(&options, "listen", "1", 0);
    libav_log_clear();
    int err = avformat_open_input(&l->format, a->url, a->format, &options); /* or frees it */
    av_dict_free(&options);
    uint64_t opened_us = clock_monotonic_us();
    if (err >= 0) err = avformat_find_stream_info(l->format, NULL);
    l->probe_us = clock_monotonic_us() - opened_us;
    if (err < 0 || interrupt_is_due(in->interrupt)) return fail_libav(in, err);
    interrupt_set_deadline(in->interrupt, TIME_NEVER);
    return 0;
}

/* Live: it paces itself. An address whose length is known is a file somewhere else. */
static bool is_live(const struct libav_input *l) {
    if (l->address.kind == INPUT_DEVICE) return strcmp(l->format->iformat->name, "lavfi") != 0;
    return l->address.kind == INPUT_URL && l->format->duration <= 0;
}

static int open_decoders(struct input *in, struct libav_input *l) {
    static const enum AVMediaType types[STREAMS] = {AVMEDIA_TYPE_VIDEO, AVMEDIA_TYPE_AUDIO};
    int found = 0, opened = 0;
    for (unsigned i = 0; i < l->format->nb_streams; i++)
        l->format->streams[i]->discard = AVDISCARD_ALL;
    libav_log_clear();
    for (int i = 0; i < STREAMS; i++) {
        AVStream *stream = decoder_find_stream(l->format, types[i]);
        if (stream == NULL) continue;
        found++;
        int err = decoder_open(&l->decoders[i], l->format, stream, is_live(l));
        if (err == ERR_MEMORY) return input_fail(in, err, ": out of memory");
        if (err) { /* the other one may do */
            decoder_close(&l->decoders[i]);
            continue;
        }
        stream->discard = AVDISCARD_DEFAULT;
        opened++;
    }
    if (found == 0) return input_fail(in, ERR_UNSUPPORTED, " holds neither audio nor video");
    if (opened == 0)
        return input_fail(in, ERR_UNSUPPORTED,
                          ": no decoder for what is inside; any that FFmpeg's "
                          "libraries decode will do");
    return 0;
}

/* Where the timeline begins. What a device gave while it was probed is gone, so there it is the
 * first frame. What a live sender gave then is old, and would come in one burst: it is left out. */
static void start_timeline(struct libav_input *l) {
    int64_t start_us = l->format->start_time;
    if (start_us == AV_NOPTS_VALUE || l->address.kind == INPUT_DEVICE) return;
    if (is_live(l)) start_us += (int64_t)l->probe_us;
    timeline_start(&l->timeline, start_us);
}

static int libav_open(struct input *in, const struct source_config *config) {
    struct libav_input *l = in->state = calloc(1, sizeof *l);
    if (l == NULL) return input_fail(in, ERR_MEMORY, ": out of memory");
    l->descriptor.fd = -1;
    read_ahead_init(&l->ahead);
    const char *why;
    int err = input_address_parse(config->input, config->format, &l->address, &why);
    if (err) return input_fail(in, err, ": %s", why);
    if (config->loop && l->address.kind != INPUT_FILE)
        return input_fail(in, ERR_ARGUMENT, " cannot be looped: only files can");
    l->loop = config->loop;

    err = open_format(in, l);
    if (!err) err = open_decoders(in, l);
    if (err) return err;
    in->paced = config->pace && !is_live(l);
    start_timeline(l);
    if (decoder_is_open(&l->decoders[VIDEO]))
        decoder_describe_video(&l->decoders[VIDEO], &in->video);
    if (decoder_is_open(&l->decoders[AUDIO]))
        decoder_describe_audio(&l->decoders[AUDIO], &in->audio);
    return 0;
}

static void libav_close(struct input *in) {
    struct libav_input *l = in->state;
    if (l == NULL) return;
    for (int i = 0; i < STREAMS; i++) decoder_close(&l->decoders[i]);
    read_ahead_release(&l->ahead);
    avformat_close_input(&l->format); /* leaves a pb that is not its own */
    /* A descriptor that was opened for an input that then was refused. */
    if (l->address.fd_owned && l->address.fd >= 0) l->descriptor.owned = true;
    if (l->descriptor.context == NULL) l->descriptor.fd = l->address.fd;
    descriptor_io_release(&l->descriptor);
    free(l);
    in->state = NULL;
}

static struct decoder *decoder_of(struct libav_input *l, int stream_index) {
    for (int i = 0; i < STREAMS; i++)
        if (decoder_is_open(&l->decoders[i]) && l->decoders[i].stream->index == stream_index)
            return &l->decoders[i];
    return NULL;
}

/* RTMP and SRT have no other end than that: the one who called us has gone. */
static bool hung_up(const struct libav_input *l, int err) {
    return l->address.listens && l->frames > 0 &&
           (err == AVERROR(EIO) || err == AVERROR(ECONNRESET) || err == AVERROR(EPIPE));
}

/* One packet of the container. Returns 0, ERR_END, ERR_STATE or another error. */
static int read_packet(struct input *in, struct libav_input *l, AVPacket *packet) {
    for (;;) {
        if (l->address.kind == INPUT_URL)
            interrupt_set_deadline(in->interrupt, clock_monotonic_us() + SOURCE_SILENCE_US);
        libav_log_clear();
        int err = av_read_frame(l->format, packet);
        if (err >= 0) {
            interrupt_set_deadline(in->interrupt, TIME_NEVER);
            return 0;
        }
        if (interrupt_is_due(in->interrupt)) return fail_libav(in, err);
        if (err == AVERROR(EAGAIN)) {
            err = interrupt_sleep_until(in->interrupt, clock_monotonic_us() + DEVICE_LOOK_US);
            if (err) return err;
            continue;
        }
        /* A demuxer may take a connection that broke for its end. */
        const AVIOContext *pb = l->format->pb;
        if (err == AVERROR_EOF && pb != NULL && pb->error < 0) err = pb->error;
        return err == AVERROR_EOF || hung_up(l, err) ? ERR_END : fail_libav(in, err);
    }
}

static int64_t packet_us(const AVPacket *p, const AVStream *s) {
    int64_t time = p->dts != AV_NOPTS_VALUE ? p->dts : p->pts;
    return time == AV_NOPTS_VALUE ? INT64_MIN : av_rescale_q(time, s->time_base, AV_TIME_BASE_Q);
}

/* Reads ahead where the input is paced, and hands out the next packet in order of time. */
static int next_packet(struct input *in, struct libav_input *l, AVPacket **ret) {
    while (!read_ahead_is_ready(&l->ahead)) {
        AVPacket *packet = av_packet_alloc();
        if (packet == NULL) return input_fail(in, ERR_MEMORY, ": out of memory");
        int err = read_packet(in, l, packet);
        struct decoder *d = err ? NULL : decoder_of(l, packet->stream_index);
        if (d == NULL) {
            av_packet_free(&packet);
            if (err == 0) continue;
            if (err == ERR_END && l->ahead.len > 0) break;
            return err;
        }
        if (!in->paced) {
            *ret = packet;
            return 0;
        }
        read_ahead_put(&l->ahead, packet, (unsigned)(d - l->decoders),
                       packet_us(packet, d->stream));
    }
    *ret = read_ahead_take(&l->ahead);
    return 0;
}

/* From the start again, behind the end of what was. */
static int rewind_input(struct input *in, struct libav_input *l) {
    int64_t start_us = l->format->start_time != AV_NOPTS_VALUE ? l->format->start_time : 0;
    libav_log_clear();
    int err = avformat_seek_file(l->format, -1, INT64_MIN, start_us, start_us, 0);
    if (err < 0) err = av_seek_frame(l->format, -1, 0, AVSEEK_FLAG_BYTE);
    if (err < 0) return input_fail(in, ERR_UNSUPPORTED, " cannot be looped: it cannot seek");
    for (int i = 0; i < STREAMS; i++)
        if (decoder_is_open(&l->decoders[i])) decoder_restart(&l->decoders[i]);
    timeline_loop(&l->timeline, start_us);
    l->drained = false;
    l->frames = 0;
    return 0;
}

/* The input is at its end: first what the decoders still hold, then the end or the start. */
static int turn(struct input *in, struct libav_input *l) {
    if (!l->drained) {
        for (int i = 0; i < STREAMS; i++)
            if (decoder_is_open(&l->decoders[i]))
                decoder_send(&l->decoders[i], NULL, &in->decode_errors);
        l->drained = true;
        return 0;
    }
    if (l->frames == 0) return input_fail(in, ERR_UNSUPPORTED, ": nothing in it could be decoded");
    return l->loop ? rewind_input(in, l) : ERR_END;
}

/* Gives a decoder something to decode. */
static int feed(struct input *in, struct libav_input *l) {
    AVPacket *packet = NULL;
    int err = l->drained ? ERR_END : next_packet(in, l, &packet);
    if (err == ERR_END) return turn(in, l);
    if (err) return err;
    if (l->frames == 0 && ++l->fruitless > FRUITLESS_PACKETS_MAX) {
        av_packet_free(&packet);
        return input_fail(in, ERR_UNSUPPORTED, ": nothing in it could be decoded");
    }
    l->active = decoder_of(l, packet->stream_index);
    decoder_send(l->active, packet, &in->decode_errors);
    av_packet_free(&packet);
    return 0;
}

/* The next frame of `d` that lies within the timeline, when it is due. */
static int take_frame(struct input *in, struct libav_input *l, struct decoder *d,
                      struct input_frame *ret) {
    int64_t us;
    int err;
    do {
        err = decoder_receive(d, &l->timeline, &us, &in->decode_errors);
        if (err) return err;
        l->frames++;
        l->fruitless = 0;
    } while (us < 0);
    *ret = (struct input_frame){
        .kind = d == &l->decoders[VIDEO] ? TRACK_VIDEO : TRACK_AUDIO,
        .frame = d->frame,
        .pts_us = (uint64_t)us,
    };
    return input_wait(in, ret->pts_us, &ret->capture_us);
}

static int libav_read(struct input *in, struct input_frame *ret) {
    struct libav_input *l = in->state;
    for (;;) {
        if (interrupt_is_due(in->interrupt)) return ERR_STATE;
        int err = ERR_NOT_FOUND;
        if (l->active != NULL) err = take_frame(in, l, l->active, ret);
        for (int i = 0; i < STREAMS && l->drained && (err == ERR_NOT_FOUND || err == ERR_END); i++)
            if (decoder_is_open(&l->decoders[i])) err = take_frame(in, l, &l->decoders[i], ret);
        if (err != ERR_NOT_FOUND && err != ERR_END) return err;
        err = feed(in, l);
        if (err) return err;
    }
}

const struct input_driver input_libav_driver = {
    .takes = libav_takes,
    .open = libav_open,
    .read = libav_read,
    .close = libav_close,
};
