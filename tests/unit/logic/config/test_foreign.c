#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "logic/config/foreign.h"
#include "logic/config/schema.h"

static bool is_option(const char *name)
{
        int pool = pool_option_find(name), master = master_option_find(name);

        return master >= 0 || (pool >= 0 && !pool_options[pool].not_built);
}

static void test_every_row_leads_somewhere(void **state)
{
        (void)state;
        for (size_t i = 0; i < foreign_word_count; i++) {
                const struct foreign_word *row = &foreign_words[i];
                if (row->ours ? !is_option(row->ours) : !row->advice)
                        fail_msg("%s: %s is no option, and there is no advice", row->word, row->ours ? row->ours : "?");
                if (is_option(row->word))
                        fail_msg("%s is our own word", row->word);
        }
}

static void expect(const char *word, bool dashes, const char *expected)
{
        _cleanup_(text_clear) struct text text = {0};

        assert_non_null(foreign_find(word));
        assert_int_equal(foreign_describe(foreign_find(word), dashes, &text), 0);
        assert_string_equal(text_string(&text), expected);
}

static void test_words(void **state)
{
        (void)state;
        expect("per_source", false, "xinetd's per_source is max_connections_per_source here");
        expect("per-source", true, "xinetd's per_source is --max-connections-per-source here");
        expect("maxrequestworkers", false, "Apache's MaxRequestWorkers is max_workers here");
        expect("c", true, "tcpserver's -c is --max-workers here");
        expect("socket_type", false, "xinetd's socket_type is listen here (udp:ADDRESS:PORT for dgram)");
        assert_null(foreign_find("C"));
        assert_null(foreign_find(""));
        assert_null(foreign_find("max_worker"));
        assert_null(foreign_find("pm.max_childre"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_row_leads_somewhere),
                cmocka_unit_test(test_words),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
