#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "master/state/struct_json.h"

struct inner {
        uint64_t deep;
};

struct sample {
        bool yes, no;
        int negative, positive;
        pid_t pid;
        unsigned narrow;
        uint64_t wide, widest;
        struct inner inner;
        uint64_t list[3];
        bool flags[2];
        const char *text;
        void *made;
};

static const struct field fields[] = {
        FIELD(struct sample, yes, "yes"),           FIELD(struct sample, no, "no"),
        FIELD(struct sample, negative, "negative"), FIELD(struct sample, positive, "positive"),
        FIELD(struct sample, pid, "its pid"),       FIELD(struct sample, narrow, "narrow"),
        FIELD(struct sample, wide, "wide"),         FIELD(struct sample, widest, "widest"),
        FIELD(struct sample, inner.deep, "deep"),   FIELD_ARRAY(struct sample, list, "list"),
        FIELD_ARRAY(struct sample, flags, "flags"), WRITTEN(struct sample, text, "text"),
        DERIVED(struct sample, made, "text"),
};

enum { NUMBERS = ELEMENTS(fields) - 2 };

static const struct sample filled = {
        .yes = true,
        .negative = INT32_MIN,
        .positive = INT32_MAX,
        .pid = 4711,
        .narrow = UINT32_MAX,
        .wide = 1ULL << 40,
        .widest = UINT64_MAX,
        .inner.deep = 7,
        .list = {1, UINT64_MAX - 1, 3},
        .flags = {false, true},
};

static void test_there_and_back(void **state)
{
        json_t *object = json_object();
        _cleanup_(text_clear) struct text error = {0};
        struct sample back = {0};

        (void)state;
        assert_int_equal(struct_json_write(fields, ELEMENTS(fields), &filled, object), 0);
        assert_int_equal(json_object_size(object), NUMBERS);
        _cleanup_(freep) char *text = json_dumps(object, JSON_COMPACT);
        json_decref(object);
        object = json_loads(text, 0, NULL);
        assert_non_null(object);
        assert_int_equal(struct_json_read(fields, ELEMENTS(fields), object, &back, &error), 0);
        assert_memory_equal(&back, &filled, sizeof(back));
        json_decref(object);
}

/* What is missing stays, what is unknown is passed over, of lists as much is taken as both have. */
static void test_of_another_version(void **state)
{
        static const char *const texts[] = {"{}",
                                            "{\"later\": {\"x\": 1}}",
                                            "{\"list\": [1]}",
                                            "{\"list\": [1, -2, 3, 4, 5]}",
                                            "{\"flags\": []}",
                                            "{\"text\": 7}"};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(texts); i++) {
                json_t *object = json_loads(texts[i], 0, NULL);
                _cleanup_(text_clear) struct text error = {0};
                struct sample sample = filled;
                assert_int_equal(struct_json_read(fields, ELEMENTS(fields), object, &sample, &error), 0);
                assert_memory_equal(&sample, &filled, sizeof(sample));
                json_decref(object);
        }
}

/* Long lists are mostly empty. */
static void test_zeros_at_the_end_are_left_out(void **state)
{
        static const struct {
                uint64_t list[3];
                const char *text;
        } cases[] = {{{0, 0, 0}, "[]"},
                     {{7, 0, 0}, "[7]"},
                     {{0, 256, 0}, "[0,256]"},
                     {{0, 0, 1ULL << 60}, "[0,0,1152921504606846976]"}};
        static const struct field list[] = {FIELD_ARRAY(struct sample, list, "list")};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct sample sample = {0}, back = {0};
                json_t *object = json_object();
                _cleanup_(text_clear) struct text error = {0};
                memcpy(sample.list, cases[i].list, sizeof(sample.list));
                assert_int_equal(struct_json_write(list, 1, &sample, object), 0);
                _cleanup_(freep) char *text = json_dumps(json_object_get(object, "list"), JSON_COMPACT);
                assert_string_equal(text, cases[i].text);
                assert_int_equal(struct_json_read(list, 1, object, &back, &error), 0);
                assert_memory_equal(&back, &sample, sizeof(back));
                json_decref(object);
        }
}

static void test_what_does_not_fit(void **state)
{
        static const struct {
                const char *text, *error;
        } cases[] = {
                {"{\"yes\": 1}", "yes: expected true or false"},
                {"{\"wide\": true}", "wide: expected a number that fits"},
                {"{\"wide\": \"1\"}", "wide: expected a number that fits"},
                {"{\"wide\": 1.5}", "wide: expected a number that fits"},
                {"{\"narrow\": 4294967296}", "narrow: expected a number that fits"},
                {"{\"narrow\": -1}", "narrow: expected a number that fits"},
                {"{\"its pid\": 2147483648}", "its pid: expected a number that fits"},
                {"{\"negative\": -2147483649}", "negative: expected a number that fits"},
                {"{\"deep\": null}", "deep: expected a number that fits"},
                {"{\"list\": 1}", "list: expected a list of a number that fits"},
                {"{\"list\": [1, \"x\"]}", "list: expected a list of a number that fits"},
                {"{\"flags\": [0]}", "flags: expected a list of true or false"},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                json_t *object = json_loads(cases[i].text, 0, NULL);
                _cleanup_(text_clear) struct text error = {0};
                struct sample sample = {0};
                assert_non_null(object);
                assert_int_equal(struct_json_read(fields, ELEMENTS(fields), object, &sample, &error), -EPROTO);
                assert_string_equal(text_string(&error), cases[i].error);
                json_decref(object);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_there_and_back),
                cmocka_unit_test(test_of_another_version),
                cmocka_unit_test(test_zeros_at_the_end_are_left_out),
                cmocka_unit_test(test_what_does_not_fit),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
