/* This program overrides the libc functions to simulate faulty databases; names that it does not know go to the real
 * functions. */
#include <dlfcn.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "os/account.h"

#define LARGE_ENTRY_BYTES 50000
#define MANY_GROUPS 1000

static int interruptions;

int getpwnam_r(const char *name, struct passwd *entry, char *buffer, size_t size, struct passwd **result)
{
        int (*real)(const char *, struct passwd *, char *, size_t, struct passwd **);

        *result = NULL;
        if (text_equal(name, "gone"))
                return ESRCH;
        if (text_equal(name, "broken"))
                return EIO;
        if (text_equal(name, "endless"))
                return ERANGE;
        if (text_equal(name, "interrupted") && interruptions++ < 3)
                return EINTR;
        if (!text_equal(name, "large") && !text_equal(name, "interrupted")) {
                *(void **)&real = dlsym(RTLD_NEXT, "getpwnam_r");
                return real(name, entry, buffer, size, result);
        }
        if (size < LARGE_ENTRY_BYTES && text_equal(name, "large"))
                return ERANGE;
        memcpy(buffer, "named", sizeof("named"));
        *entry = (struct passwd){.pw_name = buffer, .pw_uid = 70, .pw_gid = 71, .pw_dir = NULL, .pw_shell = NULL};
        *result = entry;
        return 0;
}

int getgrnam_r(const char *name, struct group *entry, char *buffer, size_t size, struct group **result)
{
        int (*real)(const char *, struct group *, char *, size_t, struct group **);

        *result = NULL;
        if (text_equal(name, "large") && size < LARGE_ENTRY_BYTES)
                return ERANGE;
        if (text_equal(name, "broken"))
                return EIO;
        if (!text_equal(name, "large")) {
                *(void **)&real = dlsym(RTLD_NEXT, "getgrnam_r");
                return real(name, entry, buffer, size, result);
        }
        *entry = (struct group){.gr_gid = 72};
        *result = entry;
        return 0;
}

int getgrouplist(const char *name, gid_t gid, gid_t *gids, int *count)
{
        int (*real)(const char *, gid_t, gid_t *, int *);
        int room = *count;

        if (text_equal(name, "endless"))
                return -1;
        if (!text_equal(name, "member")) {
                *(void **)&real = dlsym(RTLD_NEXT, "getgrouplist");
                return real(name, gid, gids, count);
        }
        *count = MANY_GROUPS;
        for (int i = 0; i < MANY_GROUPS && i < room; i++)
                gids[i] = gid + (gid_t)i;
        return room < MANY_GROUPS ? -1 : MANY_GROUPS;
}

static void test_user_by_name_and_uid(void **state)
{
        _cleanup_(account_clear) struct account_record by_name = {0}, by_uid = {0};

        (void)state;
        assert_int_equal(account_find_by_name("root", &by_name), 0);
        assert_int_equal(by_name.uid, 0);
        assert_int_equal(by_name.gid, 0);
        assert_string_equal(by_name.name, "root");
        assert_true(by_name.home[0] == '/');
        assert_int_equal(account_find_by_uid(0, &by_uid), 0);
        assert_string_equal(by_uid.name, "root");
        assert_string_equal(by_uid.home, by_name.home);
        assert_string_equal(by_uid.shell, by_name.shell);
}

static void test_not_found_is_not_an_error(void **state)
{
        struct account_record account = {.uid = 12345};
        gid_t gid = 12345;

        (void)state;
        assert_int_equal(account_find_by_name("no-such-user-here", &account), -ENOENT);
        assert_int_equal(account_find_by_name("gone", &account), -ENOENT);
        assert_int_equal(account_find_by_uid(3999999999U, &account), -ENOENT);
        assert_int_equal(account_find_group("no-such-group-here", &gid), -ENOENT);
        assert_int_equal(account_find_by_name("broken", &account), -EIO);
        assert_int_equal(account_find_group("broken", &gid), -EIO);
        assert_int_equal(account.uid, 12345);
        assert_int_equal(gid, 12345);
}

static void test_large_entries(void **state)
{
        _cleanup_(account_clear) struct account_record large = {0}, interrupted = {0};
        gid_t gid = 0;

        (void)state;
        assert_int_equal(account_find_by_name("large", &large), 0);
        assert_int_equal(large.uid, 70);
        assert_int_equal(large.gid, 71);
        assert_string_equal(large.name, "named");
        assert_string_equal(large.home, "");
        assert_string_equal(large.shell, "");
        assert_int_equal(account_find_group("large", &gid), 0);
        assert_int_equal(gid, 72);
        assert_int_equal(account_find_by_name("interrupted", &interrupted), 0);
        assert_int_equal(account_find_by_name("endless", &large), -ENOMEM);
}

static void test_group(void **state)
{
        gid_t gid = 12345;

        (void)state;
        assert_int_equal(account_find_group("root", &gid), 0);
        assert_int_equal(gid, 0);
}

static void test_group_lists(void **state)
{
        _cleanup_(freep) gid_t *gids = NULL, *many = NULL;
        gid_t *untouched = NULL;
        size_t count = 0;

        (void)state;
        assert_int_equal(account_list_groups("no-such-user-here", 4242, &gids, &count), 0);
        assert_int_equal(count, 1);
        assert_int_equal(gids[0], 4242);
        assert_int_equal(account_list_groups("member", 100, &many, &count), 0);
        assert_int_equal(count, MANY_GROUPS);
        assert_int_equal(many[MANY_GROUPS - 1], 100 + MANY_GROUPS - 1);
        assert_int_equal(account_list_groups("endless", 100, &untouched, &count), -E2BIG);
        assert_null(untouched);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_user_by_name_and_uid), cmocka_unit_test(test_not_found_is_not_an_error),
                cmocka_unit_test(test_large_entries),        cmocka_unit_test(test_group),
                cmocka_unit_test(test_group_lists),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
