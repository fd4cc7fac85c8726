#include "cli/peerkey.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/keyfile.h"
#include "tests/lib/process.h"

static struct sandbox sandbox;
static char message[KEYFILE_MESSAGE_MAX];
static struct random source;

static void start(void) {
    cr_assert_eq(random_start(), 0);
    source = random_from_system();
    cr_assert_eq(sandbox_make(&sandbox), 0);
    setenv("XDG_STATE_HOME", sandbox.path, 1);
}

static void stop(void) { sandbox_remove(&sandbox); }

TestSuite(peerkey, .init = start, .fini = stop);

Test(peerkey, is_the_same_in_the_next_run) {
    struct peerkey first, second, other;
    peerkey_take(&first, "relay", &source, message);
    cr_assert(first.is_kept, "%s", message);
    cr_assert_str_eq(message, "");
    struct public_key id = first.sign.public;
    peerkey_release(&first);
    peerkey_take(&second, "relay", &source, message);
    cr_assert(second.is_kept && public_key_equal(&id, &second.sign.public));
    peerkey_take(&other, "source", &source, message);
    cr_assert(other.is_kept && !public_key_equal(&id, &other.sign.public));
    peerkey_release(&second);
    peerkey_release(&other);
}

Test(peerkey, is_another_one_while_the_kept_one_is_in_use) {
    struct peerkey first, second, third;
    peerkey_take(&first, "relay", &source, message);
    peerkey_take(&second, "relay", &source, message);
    cr_assert(first.is_kept && !second.is_kept);
    cr_assert(!public_key_equal(&first.sign.public, &second.sign.public));
    cr_assert_not_null(strstr(message, "in use by another shoal"), "%s", message);
    struct public_key id = first.sign.public;
    peerkey_release(&first);
    peerkey_take(&third, "relay", &source, message);
    cr_assert(third.is_kept && public_key_equal(&id, &third.sign.public));
    peerkey_release(&second);
    peerkey_release(&third);
}

Test(peerkey, is_for_this_run_where_the_file_is_not_to_be_trusted) {
    struct peerkey key;
    char path[PATH_MAX];
    peerkey_take(&key, "relay", &source, message);
    peerkey_release(&key);
    cr_assert_eq(chmod(sandbox_file(&sandbox, "shoal/relay.key", path), 0644), 0);
    peerkey_take(&key, "relay", &source, message);
    cr_assert(!key.is_kept && public_key_is_valid(&key.sign.public));
    cr_assert_not_null(strstr(message, "chmod 600"), "%s", message);
    peerkey_release(&key);
}

Test(peerkey, is_for_this_run_where_there_is_no_state_directory) {
    struct peerkey key;
    setenv("XDG_STATE_HOME", "/proc/none", 1);
    peerkey_take(&key, "relay", &source, message);
    cr_assert(!key.is_kept && public_key_is_valid(&key.sign.public));
    cr_assert_not_null(strstr(message, "cannot make its folder"), "%s", message);
    peerkey_release(&key);
    unsetenv("XDG_STATE_HOME");
    unsetenv("HOME");
    peerkey_take(&key, "relay", &source, message);
    cr_assert(!key.is_kept);
    peerkey_release(&key);
}
