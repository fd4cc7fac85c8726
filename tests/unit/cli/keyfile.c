#include "cli/keyfile.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/err.h"
#include "tests/lib/process.h"

static struct sandbox sandbox;
static char path[PATH_MAX];
static char message[KEYFILE_MESSAGE_MAX];
static struct random source;

static void start(void) {
    static const uint8_t seed[RANDOM_SEED_BYTES] = {1};
    cr_assert_eq(random_start(), 0);
    source = random_from_seed(seed);
    cr_assert_eq(sandbox_make(&sandbox), 0);
    sandbox_file(&sandbox, "test.key", path);
}

static void stop(void) { sandbox_remove(&sandbox); }

TestSuite(keyfile, .init = start, .fini = stop);

static struct keyfile written(bool is_private) {
    struct keyfile key;
    keyfile_generate(&key, is_private, &source);
    cr_assert_eq(keyfile_write(path, KEYFILE_OF_CHANNEL, &key, message), 0, "%s", message);
    return key;
}

static size_t files_count(void) {
    size_t n = 0;
    DIR *folder = opendir(sandbox.path);
    cr_assert_not_null(folder);
    for (struct dirent *e; (e = readdir(folder)) != NULL;) n += e->d_name[0] != '.';
    closedir(folder);
    return n;
}

static size_t text_read(char *ret, size_t size) {
    FILE *file = fopen(path, "re");
    cr_assert_not_null(file);
    size_t len = fread(ret, 1, size - 1, file);
    ret[len] = '\0';
    fclose(file);
    return len;
}

static void text_write(const char *text, size_t len) {
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    cr_assert_eq(fchmod(fileno(file), 0600), 0);
    cr_assert_eq(fwrite(text, 1, len, file), len);
    cr_assert_eq(fclose(file), 0);
}

static void refused(int err, const char *why) {
    struct keyfile key;
    cr_expect_eq(keyfile_read(path, KEYFILE_OF_CHANNEL, &key, message), err, "%s", message);
    cr_expect_not_null(strstr(message, path), "%s", message);
    cr_expect_not_null(strstr(message, why), "'%s' without '%s'", message, why);
}

Test(keyfile, gives_back_what_was_written) {
    for (int is_private = 0; is_private < 2; is_private++) {
        struct keyfile key = written(is_private), read;
        cr_assert_eq(keyfile_read(path, KEYFILE_OF_CHANNEL, &read, message), 0, "%s", message);
        cr_assert(public_key_equal(&key.sign.public, &read.sign.public));
        cr_assert_arr_eq(key.sign.secret, read.sign.secret, sizeof key.sign.secret);
        cr_assert_eq(read.has_read_key, is_private);
        cr_assert_arr_eq(key.read_key.bytes, read.read_key.bytes, READ_KEY_BYTES);
        cr_assert_eq(unlink(path), 0);
    }
}

Test(keyfile, is_for_its_owner_alone_whatever_the_umask) {
    struct stat st;
    umask(0);
    written(false);
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_eq(st.st_mode & 07777, 0600);
    cr_assert_eq(files_count(), 1, "something beside the key was left");
}

Test(keyfile, is_never_written_over) {
    struct keyfile first = written(false), second, read;
    keyfile_generate(&second, false, &source);
    cr_assert_eq(keyfile_write(path, KEYFILE_OF_CHANNEL, &second, message), ERR_EXISTS);
    cr_assert_not_null(strstr(message, "exists already"));
    cr_assert_eq(keyfile_read(path, KEYFILE_OF_CHANNEL, &read, message), 0);
    cr_assert(public_key_equal(&first.sign.public, &read.sign.public));
    cr_assert_eq(files_count(), 1);
}

Test(keyfile, is_not_written_through_a_link_that_leads_nowhere) {
    struct keyfile key;
    char target[PATH_MAX];
    keyfile_generate(&key, false, &source);
    cr_assert_eq(symlink(sandbox_file(&sandbox, "target", target), path), 0);
    cr_assert_eq(keyfile_write(path, KEYFILE_OF_CHANNEL, &key, message), ERR_EXISTS);
    cr_assert_neq(access(target, F_OK), 0);
}

Test(keyfile, of_two_writers_at_once_exactly_one_wins) {
    enum { WRITERS = 8 };
    int go[2], won = 0, status;
    cr_assert_eq(pipe(go), 0);
    for (int i = 0; i < WRITERS; i++) {
        struct keyfile key;
        keyfile_generate(&key, false, &source);
        if (fork() != 0) continue;
        char c;
        close(go[1]);
        if (read(go[0], &c, 1) != 0) _exit(2);
        int err = keyfile_write(path, KEYFILE_OF_CHANNEL, &key, message);
        _exit(err == 0 ? 0 : err == ERR_EXISTS ? 1 : 2);
    }
    close(go[0]);
    close(go[1]); /* all of them start */
    for (int i = 0; i < WRITERS; i++) {
        cr_assert_gt(wait(&status), 0);
        cr_assert(WIFEXITED(status) && WEXITSTATUS(status) < 2);
        won += WEXITSTATUS(status) == 0;
    }
    cr_assert_eq(won, 1);
    cr_assert_eq(files_count(), 1);
    struct keyfile key;
    cr_assert_eq(keyfile_read(path, KEYFILE_OF_CHANNEL, &key, message), 0, "%s", message);
}

Test(keyfile, that_cannot_be_written_whole_does_not_appear) {
    struct keyfile key;
    struct rlimit limit = {100, 100}; /* bytes: less than a key file has */
    keyfile_generate(&key, false, &source);
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    cr_assert_eq(keyfile_write(path, KEYFILE_OF_CHANNEL, &key, message), ERR_SYSTEM);
    cr_assert_not_null(strstr(message, "File too large"), "%s", message);
    cr_assert_eq(files_count(), 0);
}

Test(keyfile, in_a_folder_that_is_missing_says_so) {
    struct keyfile key;
    keyfile_generate(&key, false, &source);
    sandbox_file(&sandbox, "missing/test.key", path);
    cr_assert_eq(keyfile_write(path, KEYFILE_OF_CHANNEL, &key, message), ERR_SYSTEM);
    cr_assert_not_null(strstr(message, "No such file or directory"), "%s", message);
    refused(ERR_NOT_FOUND, "shoal keygen");
}

Test(keyfile, that_others_can_read_is_refused_with_the_remedy) {
    static const mode_t modes[] = {0640, 0604, 0620, 0602, 0610, 0601, 0666};
    written(false);
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        cr_assert_eq(chmod(path, modes[i]), 0);
        refused(ERR_PERMISSION, "chmod 600 ");
    }
    cr_assert_eq(chmod(path, 0400), 0);
    struct keyfile key;
    cr_assert_eq(keyfile_read(path, KEYFILE_OF_CHANNEL, &key, message), 0);
}

Test(keyfile, of_another_kind_or_no_key_at_all_is_refused) {
    struct keyfile key;
    keyfile_generate(&key, false, &source);
    cr_assert_eq(keyfile_write(path, KEYFILE_OF_PEER, &key, message), 0);
    refused(ERR_FORMAT, "not the key file of a channel");
    text_write("", 0);
    refused(ERR_FORMAT, "not a key file");
    cr_assert_eq(chmod(path, 0644), 0);
    refused(ERR_FORMAT, "not a key file"); /* and no word of chmod */
    text_write("shoal channel key 1\n\0seed", 25);
    refused(ERR_FORMAT, "not a key file");
    snprintf(path, sizeof path, "%s", sandbox.path);
    refused(ERR_FORMAT, "not a file");
}

Test(keyfile, that_is_a_fifo_does_not_block) {
    cr_assert_eq(mkfifo(path, 0600), 0);
    refused(ERR_FORMAT, "not a file");
}

Test(keyfile, of_another_version_says_which_it_reads) {
    text_write("shoal channel key 2\n", 20);
    refused(ERR_VERSION, "version 2; this program reads version 1");
    text_write("shoal channel key \n", 19);
    refused(ERR_FORMAT, "first line is damaged");
}

Test(keyfile, that_is_too_large_is_refused) {
    static char text[KEYFILE_SIZE_MAX + 1];
    memset(text, '#', sizeof text);
    memcpy(text, "shoal channel key 1\n", 20);
    text_write(text, sizeof text);
    refused(ERR_FORMAT, "too large");
}

Test(keyfile, cut_at_any_byte_is_refused) {
    char text[KEYFILE_SIZE_MAX];
    struct keyfile key;
    written(false);
    size_t len = text_read(text, sizeof text);
    for (size_t cut = 0; cut + 1 < len; cut++) { /* the last newline is not needed */
        text_write(text, cut);
        cr_expect_lt(keyfile_read(path, KEYFILE_OF_CHANNEL, &key, message), 0, "cut at %zu", cut);
    }
    text_write(text, len - 1);
    cr_assert_eq(keyfile_read(path, KEYFILE_OF_CHANNEL, &key, message), 0, "%s", message);
}

Test(keyfile, with_any_character_of_its_keys_changed_is_refused) {
    char text[KEYFILE_SIZE_MAX];
    struct keyfile key;
    written(false);
    size_t len = text_read(text, sizeof text);
    size_t seed = (size_t)(strstr(text, "seed ") - text);
    for (size_t i = seed; i < len; i++) {
        char was = text[i];
        text[i] = was == 'b' ? 'c' : 'b';
        text_write(text, len);
        cr_expect_lt(keyfile_read(path, KEYFILE_OF_CHANNEL, &key, message), 0, "byte %zu", i);
        text[i] = was;
    }
}

Test(keyfile, with_a_line_twice_or_an_unknown_one_is_refused) {
    char text[KEYFILE_SIZE_MAX];
    written(true);
    size_t len = text_read(text, sizeof text);
    char *read_line = strstr(text, "read ");
    size_t line_len = strlen(read_line);
    memcpy(text + len, read_line, line_len);
    text_write(text, len + line_len);
    refused(ERR_FORMAT, "line 6 is damaged");
    memcpy(text + len, "more\n", 6);
    text_write(text, len + 5);
    refused(ERR_FORMAT, "line 6 is damaged");
}

Test(keyfile, makes_the_link_of_its_channel) {
    struct channel_link link;
    struct keyfile key = written(true);
    keyfile_link(&key, &link);
    cr_assert(public_key_equal(&link.channel, &key.sign.public));
    cr_assert(link.has_read_key && link.peers_len == 0 && link.name[0] == '\0');
}

Test(keyfile, has_a_default_place_in_the_data_directory) {
    char found[PATH_MAX];
    setenv("XDG_DATA_HOME", "/data", 1);
    cr_assert_eq(keyfile_path(NULL, found, message), 0);
    cr_assert_str_eq(found, "/data/shoal/channel.key");
    setenv("XDG_DATA_HOME", "relative", 1);
    setenv("HOME", "/home/a", 1);
    cr_assert_eq(keyfile_path(NULL, found, message), 0);
    cr_assert_str_eq(found, "/home/a/.local/share/shoal/channel.key");
    unsetenv("HOME");
    cr_assert_eq(keyfile_path(NULL, found, message), ERR_NOT_FOUND);
    cr_assert_eq(keyfile_path("x", found, message), 0);
    cr_assert_str_eq(found, "x");
}
