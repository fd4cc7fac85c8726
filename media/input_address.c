#include "media/input_address.h"

#include <errno.h>
#include <fcntl.h>
#include <libavdevice/avdevice.h>
#include <libavformat/avformat.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/err.h"

/* avdevice_register_all writes a global list without a lock. */
static void register_devices(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, avdevice_register_all);
}

static int system_error(int number, const char **ret_why) {
    const char *text = strerrordesc_np(number); /* unlike strerror, from any thread */
    *ret_why = text != NULL ? text : "the system refused";
    if (number == ENOENT || number == ENOTDIR) return ERR_NOT_FOUND;
    return number == EACCES || number == EPERM ? ERR_PERMISSION : ERR_SYSTEM;
}

static bool names_device(const AVInputFormat *device, const char *name, size_t len) {
    for (const char *at = device->name; at != NULL;) { /* "video4linux2,v4l2" */
        size_t part = strcspn(at, ",");
        if (part == len && strncmp(at, name, len) == 0) return true;
        at = at[part] == ',' ? at + part + 1 : NULL;
    }
    return false;
}

static const AVInputFormat *device_named(const char *name, size_t len) {
    const AVInputFormat *device = NULL;
    while ((device = av_input_video_device_next(device)) != NULL)
        if (names_device(device, name, len)) return device;
    while ((device = av_input_audio_device_next(device)) != NULL)
        if (names_device(device, name, len)) return device;
    return NULL;
}

static int set_url(struct input_address *a, const char *prefix, const char *rest,
                   const char **ret_why) {
    int n = snprintf(a->url, sizeof a->url, "%s%s", prefix, rest);
    if (n >= 0 && (size_t)n < sizeof a->url) return 0;
    *ret_why = "a name of more than 2,000 bytes";
    return ERR_ARGUMENT;
}

static int parse_descriptor(struct input_address *a, const char *input, const char **ret_why) {
    a->kind = INPUT_DESCRIPTOR;
    a->fd = STDIN_FILENO;
    if (strncmp(input, "pipe:", 5) == 0 && input[5] != '\0') {
        char *end;
        long fd = strtol(input + 5, &end, 10);
        if (*end != '\0' || fd < 0 || fd > 65535) {
            *ret_why = "pipe: takes the number of a descriptor, as in pipe:0";
            return ERR_ARGUMENT;
        }
        a->fd = (int)fd;
    }
    if (fcntl(a->fd, F_GETFD) < 0) return system_error(errno, ret_why);
    return 0;
}

static int parse_path(struct input_address *a, const char *input, const struct stat *info,
                      const char **ret_why) {
    if (S_ISDIR(info->st_mode)) {
        *ret_why = "a directory; expected a file, an address or a device";
        return ERR_UNSUPPORTED;
    }
    if (S_ISREG(info->st_mode) || S_ISBLK(info->st_mode)) {
        if (access(input, R_OK) < 0) return system_error(errno, ret_why);
        a->kind = INPUT_FILE;
        return set_url(a, "file:", input, ret_why); /* so that "10:30.mkv" is no protocol */
    }
    if (S_ISCHR(info->st_mode) && strncmp(input, "/dev/video", 10) == 0) {
        a->kind = INPUT_DEVICE;
        a->format = device_named("v4l2", 4);
        return set_url(a, "", input, ret_why);
    }
    a->kind = INPUT_DESCRIPTOR;
    /* Without a wait for the writer; the reading waits, and can be interrupted. */
    a->fd = open(input, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    a->fd_owned = true;
    return a->fd < 0 ? system_error(errno, ret_why) : 0;
}

/* libavformat takes "listen" from the address for TCP and SRT; for RTMP and HTTP it is an option
 * that only a program can set. Cuts it off there, so that one way of writing serves all. */
static void cut_listen(struct input_address *a) {
    if (strncmp(a->url, "rtmp:", 5) != 0 && strncmp(a->url, "http:", 5) != 0) return;
    static const char *const ends[] = {"?listen", "?listen=1", "&listen", "&listen=1"};
    size_t len = strlen(a->url);
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        size_t end = strlen(ends[i]);
        if (len < end || strcmp(a->url + len - end, ends[i]) != 0) continue;
        a->url[len - end] = '\0';
        a->listen_option = true;
        return;
    }
}

static int parse_url(struct input_address *a, const char *input, const char **ret_why) {
    if (strchr(input, ':') == NULL) return system_error(ENOENT, ret_why);
    if (avio_find_protocol_name(input) == NULL) {
        *ret_why = "neither a file nor an address of a known protocol";
        return ERR_NOT_FOUND;
    }
    if (strncmp(input, "file:", 5) == 0) {
        struct stat info;
        if (stat(input + 5, &info) < 0) return system_error(errno, ret_why);
        return parse_path(a, input + 5, &info, ret_why);
    }
    a->kind = INPUT_URL;
    a->listens = strstr(input, "listen") != NULL; /* ?listen, listen=1, mode=listener */
    int err = set_url(a, "", input, ret_why);
    if (!err) cut_listen(a);
    return err;
}

int input_address_parse(const char *input, const char *format, struct input_address *ret,
                        const char **ret_why) {
    register_devices();
    *ret = (struct input_address){.fd = -1};
    if (format != NULL && *format != '\0') {
        ret->format = device_named(format, strlen(format));
        if (ret->format != NULL) {
            ret->kind = INPUT_DEVICE;
            return set_url(ret, "", input, ret_why);
        }
        ret->format = av_find_input_format(format);
        if (ret->format == NULL) {
            *ret_why = "its format is unknown; `ffmpeg -formats` lists those that are";
            return ERR_ARGUMENT;
        }
    }
    struct stat info;
    if (strcmp(input, "-") == 0 || strncmp(input, "pipe:", 5) == 0)
        return parse_descriptor(ret, input, ret_why);
    if (stat(input, &info) == 0) return parse_path(ret, input, &info, ret_why);
    if (errno != ENOENT && errno != ENOTDIR) return system_error(errno, ret_why);

    size_t prefix = strcspn(input, ":");
    if (ret->format == NULL && input[prefix] == ':')
        ret->format = device_named(input, prefix);
    else
        return parse_url(ret, input, ret_why);
    if (ret->format == NULL) return parse_url(ret, input, ret_why);
    ret->kind = INPUT_DEVICE;
    return set_url(ret, "", input + prefix + 1, ret_why);
}
