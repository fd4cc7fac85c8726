#include "cli/xdg.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/err.h"
#include "tests/lib/process.h"

Test(xdg, follows_the_variables_and_falls_back_to_the_home) {
    char path[PATH_MAX];
    setenv("HOME", "/home/a", 1);
    setenv("XDG_CONFIG_HOME", "/c", 1);
    unsetenv("XDG_STATE_HOME");
    setenv("XDG_DATA_HOME", "", 1);
    cr_assert(xdg_path(XDG_CONFIG, "config", path) == 0 && strcmp(path, "/c/shoal/config") == 0);
    cr_assert(xdg_path(XDG_STATE, "peers", path) == 0);
    cr_assert_str_eq(path, "/home/a/.local/state/shoal/peers");
    cr_assert(xdg_path(XDG_DATA, "k", path) == 0);
    cr_assert_str_eq(path, "/home/a/.local/share/shoal/k");
}

Test(xdg, refuses_a_path_that_is_too_long) {
    static char longest[PATH_MAX];
    char path[PATH_MAX];
    memset(longest, 'a', sizeof longest - 1);
    longest[0] = '/';
    setenv("XDG_DATA_HOME", longest, 1);
    cr_assert_eq(xdg_path(XDG_DATA, "k", path), ERR_RANGE);
}

Test(xdg, makes_folders_for_the_user_alone) {
    struct sandbox s;
    struct stat st;
    char path[PATH_MAX];
    cr_assert_eq(sandbox_make(&s), 0);
    umask(0);
    cr_assert_eq(xdg_make_folders(sandbox_file(&s, "a/b/file", path)), 0);
    cr_assert_eq(xdg_make_folders(path), 0);
    cr_assert_eq(stat(sandbox_file(&s, "a/b", path), &st), 0);
    cr_assert(S_ISDIR(st.st_mode) && (st.st_mode & 0777) == 0700);
    cr_assert_neq(stat(sandbox_file(&s, "a/b/file", path), &st), 0);
    cr_assert_eq(xdg_make_folders("/proc/none/file"), ERR_SYSTEM);
    sandbox_remove(&s);
}
