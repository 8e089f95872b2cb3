#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "master/state/state_file.h"
#include "os/memory_file.h"

static int open_null(void)
{
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

        assert_true(fd > 2);
        return fd;
}

static bool is_open(int fd)
{
        return fcntl(fd, F_GETFD) >= 0;
}

/* Save what was written and load it, as another program would: descriptors that are handed over survive the exec. */
static void pass_on(struct state_file *written, struct state_file *read)
{
        _cleanup_(fd_closep) int fd = -1;

        for (size_t i = 0; i < written->descriptor_count; i++)
                fcntl(written->descriptors[i], F_SETFD, 0);
        assert_int_equal(state_file_save(written, &fd), 0);
        assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
        assert_int_equal(state_file_load(fd, read), 0);
        state_file_forget(written);
}

static void test_bytes(void **state)
{
        struct state_file written, read;
        char all[256];

        (void)state;
        for (int i = 0; i < 256; i++)
                all[i] = (char)i;
        assert_int_equal(state_file_new(&written), 0);
        assert_int_equal(state_file_set(written.root, "all", state_file_bytes(all, sizeof(all))), 0);
        assert_int_equal(state_file_set(written.root, "none", state_file_bytes(NULL, 0)), 0);
        assert_int_equal(state_file_set(written.root, "text", state_file_string("plain ä\n")), 0);
        pass_on(&written, &read);
        _cleanup_(text_clear) struct text bytes = {0}, none = {0};
        _cleanup_(freep) char *string = NULL;
        assert_int_equal(state_file_read_bytes(&read, read.root, "all", &bytes), 0);
        assert_int_equal(bytes.length, sizeof(all));
        assert_memory_equal(bytes.bytes, all, sizeof(all));
        assert_int_equal(state_file_read_bytes(&read, read.root, "none", &none), 0);
        assert_int_equal(state_file_read_bytes(&read, read.root, "missing", &none), 0);
        assert_int_equal(none.length, 0);
        assert_int_equal(state_file_read_string(&read, read.root, "text", &string), 0);
        assert_string_equal(string, "plain ä\n");
        state_file_clear(&read);
}

/* Characters beyond U+00FF are nobody's bytes. */
static void test_text_that_is_no_bytes(void **state)
{
        static const char *const texts[] = {"\"\\u0100\"", "\"\\u20ac\"", "\"\\ud83d\\ude00\""};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(texts); i++) {
                struct state_file document = {.root = json_object()};
                _cleanup_(text_clear) struct text text = {0};
                json_object_set_new(document.root, "x", json_loads(texts[i], JSON_DECODE_ANY, NULL));
                assert_int_equal(state_file_read_bytes(&document, document.root, "x", &text), -EPROTO);
                assert_string_equal(text_string(&document.error), "x: expected bytes");
                state_file_clear(&document);
        }
}

/* Each is one reader's; what nobody takes is closed; what was never handed over is not touched. */
static void test_descriptors(void **state)
{
        int taken = open_null(), left = open_null(), foreign = open_null(), got = -1;
        struct state_file written, read;

        (void)state;
        assert_int_equal(state_file_new(&written), 0);
        assert_int_equal(state_file_set(written.root, "taken", state_file_descriptor(&written, taken)), 0);
        assert_int_equal(state_file_set(written.root, "left", state_file_descriptor(&written, left)), 0);
        assert_int_equal(state_file_set(written.root, "foreign", json_integer(foreign)), 0);
        pass_on(&written, &read);
        assert_int_equal(fcntl(taken, F_GETFD), FD_CLOEXEC);
        assert_int_equal(state_file_take_descriptor(&read, read.root, "taken", &got), 0);
        assert_int_equal(got, taken);
        got = -1;
        assert_int_equal(state_file_take_descriptor(&read, read.root, "taken", &got), -EPROTO);
        assert_int_equal(state_file_take_descriptor(&read, read.root, "foreign", &got), -EPROTO);
        assert_int_equal(state_file_take_descriptor(&read, read.root, "missing", &got), -EPROTO);
        assert_int_equal(got, -1);
        state_file_clear(&read);
        assert_true(is_open(taken) && is_open(foreign));
        assert_false(is_open(left));
        close(taken);
        close(foreign);
}

/* A document that cannot be used costs nobody a descriptor. */
static void test_forgetting_closes_nothing(void **state)
{
        int fd = open_null();
        struct state_file written, read;

        (void)state;
        assert_int_equal(state_file_new(&written), 0);
        assert_int_equal(state_file_set(written.root, "fd", state_file_descriptor(&written, fd)), 0);
        pass_on(&written, &read);
        state_file_forget(&read);
        assert_true(is_open(fd));
        close(fd);
}

static void test_what_is_no_document(void **state)
{
        static const struct {
                const char *text, *error;
        } cases[] = {
                {"", "cannot be read"},
                {"{", "cannot be read"},
                {"[]", "has format 0"},
                {"{}", "has format 0"},
                {"{\"handover\": 2}", "has format 2; this program reads 1"},
                {"{\"handover\": \"1\"}", "has format 0"},
                {"{\"handover\": 1, \"handover\": 1}", "cannot be read"},
                {"{\"handover\": 1, \"descriptors\": [99999]}", "descriptor 99999 was not handed over"},
                {"{\"handover\": 1, \"descriptors\": [0]}", "descriptor 0 was not handed over"},
                {"{\"handover\": 1, \"descriptors\": [4294967299]}", "descriptor 4294967299 was not"},
                {"{\"handover\": 1, \"descriptors\": [\"x\"]}", "descriptor 0 was not handed over"},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_(fd_closep) int fd = -1;
                struct state_file document;
                assert_int_equal(memory_file_open("test", &fd), 0);
                assert_int_equal(memory_file_write(fd, cases[i].text, strlen(cases[i].text)), 0);
                assert_int_equal(state_file_load(fd, &document), -EPROTO);
                assert_non_null(strstr(text_string(&document.error), cases[i].error));
                state_file_forget(&document);
        }
}

/* One that is mentioned twice, or that was not left open on purpose, is somebody's already. */
static void test_descriptors_of_others(void **state)
{
        int fd = open_null();
        _cleanup_(fd_closep) int state_fd = -1;
        struct state_file written, read;

        (void)state;
        for (int times = 1; times <= 2; times++) {
                assert_int_equal(state_file_new(&written), 0);
                for (int i = 0; i < times; i++)
                        json_decref(state_file_descriptor(&written, fd));
                assert_int_equal(fcntl(fd, F_SETFD, times == 1 ? FD_CLOEXEC : 0), 0);
                fd_closep(&state_fd);
                assert_int_equal(state_file_save(&written, &state_fd), 0);
                assert_int_equal(state_file_load(state_fd, &read), -EPROTO);
                assert_non_null(strstr(text_string(&read.error), "was not handed over"));
                state_file_forget(&read);
                state_file_forget(&written);
                assert_true(is_open(fd));
        }
        close(fd);
}

static void test_words(void **state)
{
        static const char *const words[] = {"one", "two"};
        struct state_file document = {.root = json_pack("{s:s, s:i}", "word", "two", "number", 1)};
        unsigned index = 7;

        (void)state;
        assert_int_equal(state_file_read_word(&document, document.root, "word", words, ELEMENTS(words), &index), 0);
        assert_int_equal(index, 1);
        assert_int_equal(state_file_read_word(&document, document.root, "word", words, 1, &index), -EPROTO);
        assert_string_equal(text_string(&document.error), "word: \"two\" is not known");
        assert_int_equal(state_file_read_word(&document, document.root, "number", words, 2, &index), -EPROTO);
        assert_string_equal(text_string(&document.error), "word: \"two\" is not known"); /* the first one stays */
        assert_int_equal(index, 1);
        state_file_clear(&document);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_bytes),
                cmocka_unit_test(test_text_that_is_no_bytes),
                cmocka_unit_test(test_descriptors),
                cmocka_unit_test(test_forgetting_closes_nothing),
                cmocka_unit_test(test_what_is_no_document),
                cmocka_unit_test(test_descriptors_of_others),
                cmocka_unit_test(test_words),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
