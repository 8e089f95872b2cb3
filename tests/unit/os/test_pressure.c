/* The kernel's pressure files, where it has any, and the control group of a process. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "os/pressure.h"

static void what_there_is(void **state)
{
        static const char *const paths[] = {"/proc/pressure/cpu", "/proc/pressure/memory"};

        (void)state;
        for (int i = 0; i < PRESSURE_RESOURCE_COUNT; i++) {
                struct pressure_reading reading = {.recent = 4242}, later = {0};
                int r = pressure_read((enum pressure_resource)i, &reading);
                if (r < 0) {
                        assert_true(r == -ENOENT || r == -EOPNOTSUPP || r == -EACCES);
                        assert_int_equal(reading.recent, 4242);
                        continue;
                }
                assert_true(reading.recent <= PRESSURE_ALL);
                assert_int_equal(pressure_read((enum pressure_resource)i, &later), 0);
                assert_true(later.stalled_us >= reading.stalled_us);
        }
        for (size_t i = 0; i < ELEMENTS(paths); i++) {
                struct pressure_reading reading;
                if (access(paths[i], R_OK) == 0) {
                        int r = pressure_read((enum pressure_resource)i, &reading);
                        assert_true(r == 0 || r == -EOPNOTSUPP);
                }
        }
}

static void groups(void **state)
{
        static const struct {
                const char *text, *group; /* "": none */
        } rows[] = {
                {"0::/\n", "/"},
                {"0::/system.slice/preforkd.service\n", "/system.slice/preforkd.service"},
                {"12:cpu,cpuacct:/x\n1:name=systemd:/y\n0::/z\n", "/z"},
                {"10:0::/x\n0::/z\n", "/z"},
                {"0::/a b:c\n1:cpu:/x\n", "/a b:c"},
                {"1:name=systemd:/y\n", ""},
                {"0::/../other\n", ""},
                {"0::/cut off", ""},
                {"0::\n", ""},
                {"", ""},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                const char *group = "";
                size_t length = pressure_find_group(rows[i].text, &group);
                if (length != strlen(rows[i].group) || strncmp(group, rows[i].group, length) != 0)
                        fail_msg("%.*s: %s", (int)length, group, rows[i].text);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_there_is),
                cmocka_unit_test(groups),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
