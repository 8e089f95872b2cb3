#include <fcntl.h>
#include <grp.h>

#include "os/process/credentials.h"
#include "unit/child_helpers.h"

#define SOME_UID 54321
#define SOME_GID 54322

static bool ids_are(uid_t uid, gid_t gid)
{
        uid_t ruid, euid, suid;
        gid_t rgid, egid, sgid;

        return getresuid(&ruid, &euid, &suid) == 0 && getresgid(&rgid, &egid, &sgid) == 0 && ruid == uid &&
               euid == uid && suid == uid && rgid == gid && egid == gid && sgid == gid;
}

static int drops_all(void)
{
        const gid_t groups[] = {60001, 60002};
        const struct credentials credentials = {
                .change = true,
                .uid = SOME_UID,
                .gid = SOME_GID,
                .groups = groups,
                .group_count = 2,
                .no_new_privileges = true,
        };
        gid_t found[8];

        if (credentials_drop(&credentials) != 0)
                return 1;
        if (!ids_are(SOME_UID, SOME_GID))
                return 2;
        if (getgroups(8, found) != 2 || found[0] != 60001 || found[1] != 60002)
                return 3;
        if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 || prctl(PR_GET_DUMPABLE) != 0)
                return 4;
        /* The change is irrevocable. */
        if (setuid(0) == 0 || seteuid(0) == 0 || setgid(0) == 0 || setgroups(0, NULL) == 0)
                return 5;
        int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
        char status[4096];
        ssize_t length = fd < 0 ? 0 : read(fd, status, sizeof(status) - 1);
        status[length > 0 ? length : 0] = '\0';
        return strstr(status, "CapEff:\t0000000000000000") && strstr(status, "CapPrm:\t0000000000000000") ? 0 : 6;
}

static int drops_to_no_groups(void)
{
        const struct credentials credentials = {.change = true, .uid = SOME_UID, .gid = SOME_GID};

        if (setgroups(1, (gid_t[]){0}) != 0 || credentials_drop(&credentials) != 0)
                return 1;
        if (!ids_are(SOME_UID, SOME_GID) || getgroups(0, NULL) != 0)
                return 2;
        return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0 ? 0 : 3; /* not requested */
}

/* user = root keeps root, but sets the requested groups. */
static int stays_root(void)
{
        const struct credentials credentials = {.change = true};

        if (setgroups(2, (gid_t[]){7, 8}) != 0 || credentials_drop(&credentials) != 0)
                return 1;
        return ids_are(0, 0) && getgroups(0, NULL) == 0 ? 0 : 2;
}

static int refuses_as_another_user(void)
{
        const struct credentials other = {.change = true, .uid = SOME_UID + 1, .gid = SOME_GID};
        const struct credentials other_group = {.change = true, .uid = SOME_UID, .gid = SOME_GID + 1};
        const struct credentials own = {.change = true, .uid = SOME_UID, .gid = SOME_GID};

        if (setresgid(SOME_GID, SOME_GID, SOME_GID) != 0 || setresuid(SOME_UID, SOME_UID, SOME_UID) != 0)
                return 1;
        if (credentials_drop(&other) != -EPERM || credentials_drop(&other_group) != -EPERM)
                return 2;
        if (prctl(PR_GET_DUMPABLE) == 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 0)
                return 3;
        return credentials_drop(&own) == 0 && ids_are(SOME_UID, SOME_GID) ? 0 : 4;
}

/* Without a change of ids only the last two steps apply, which need no privilege. */
static int changes_nothing(void)
{
        const struct credentials credentials = {.uid = SOME_UID, .gid = SOME_GID, .no_new_privileges = true};
        uid_t uid = getuid();
        gid_t gid = getgid();
        int groups = getgroups(0, NULL);

        if (credentials_drop(&credentials) != 0)
                return 1;
        if (!ids_are(uid, gid) || getgroups(0, NULL) != groups)
                return 2;
        return prctl(PR_GET_DUMPABLE) == 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 3;
}

static int raises_oom_score(void)
{
        char text[16] = "";

        if (credentials_set_oom_score_adj(777) != 0)
                return 1;
        int fd = open("/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC);
        if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0 || strcmp(text, "777\n") != 0)
                return 2;
        if (credentials_set_oom_score_adj(1001) != -EINVAL)
                return 3;
        if (geteuid() == 0 && setresuid(SOME_UID, SOME_UID, SOME_UID) != 0)
                return 4;
        int r = credentials_set_oom_score_adj(-500);
        return r == -EACCES ? 0 : 5;
}

static void run(int (*body)(void), bool needs_root)
{
        if (needs_root && geteuid() != 0)
                skip();
        in_child(body);
}

#define IN_CHILD(name, needs_root)                                                                                     \
        static void test_##name(void **state)                                                                          \
        {                                                                                                              \
                (void)state;                                                                                           \
                run(name, needs_root);                                                                                 \
        }

IN_CHILD(drops_all, true)
IN_CHILD(drops_to_no_groups, true)
IN_CHILD(stays_root, true)
IN_CHILD(refuses_as_another_user, true)
IN_CHILD(changes_nothing, false)
IN_CHILD(raises_oom_score, false)

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_drops_all),       cmocka_unit_test(test_drops_to_no_groups),
                cmocka_unit_test(test_stays_root),      cmocka_unit_test(test_refuses_as_another_user),
                cmocka_unit_test(test_changes_nothing), cmocka_unit_test(test_raises_oom_score),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
