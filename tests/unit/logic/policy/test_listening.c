/* The policy of listening as traces: see turn_text.h for the language. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "logic/policy/listening.h"
#include "logic/policy/roll.h"
#include "logic/policy/scaling.h"
#include "unit/logic/policy/turn_text.h"

/* Those that launch workers come after it. */
static void listen_and_launch(struct turn *turn)
{
        listening_decide(turn);
        roll_decide(turn);
        scaling_decide(turn);
}

/* clang-format off */
/* Traces: a step a line. */

static void nothing_is_wrong(void **state)
{
        (void)state;
        PLAY(listening_decide, "1s a; b busy ->");
}

static void an_address_that_cannot_be_opened(void **state)
{
        (void)state;
        PLAY(listening_decide, "pool delay-min 100ms delay-max 1s missing 1 deaf",
             "10s -> open again",
             "10001ms -> at 10100ms",
             "10100ms -> open again",
             "10101ms -> at 10300ms",
             "10300ms -> open again",
             "10700ms -> open again",
             "11500ms -> open again",
             "# No longer than restart_delay_max.",
             "11501ms -> at 12500ms",
             "# A person asks for it.",
             "12s pool hurry -> open again",
             "12001ms -> at 12100ms",
             "12100ms pool missing 0 hears ->");
}

static void a_listener_that_is_damaged_again_and_again(void **state)
{
        (void)state;
        PLAY(listening_decide, "pool delay-min 100ms delay-max 1s faulty 1",
             "10s -> open again",
             "10001ms pool faulty 0 ->",
             "10002ms pool faulty 1 -> at 10100ms",
             "10100ms -> open again",
             "10101ms -> at 10300ms",
             "10300ms -> open again",
             "10301ms pool faulty 0 ->",
             "# After a quiet time it begins anew.",
             "12s pool faulty 1 -> open again",
             "12001ms -> at 12100ms");
        PLAY(listening_decide, "# Without a delay there is one.",
             "pool delay-min 0 delay-max 0 faulty 1",
             "10s -> open again",
             "10001ms -> at 10100ms");
}

static void a_restart_looks_again_when_the_old_have_gone(void **state)
{
        (void)state;
        PLAY(listening_decide, "pool generation 2 look-again",
             "1s a gen 1 busy; b ->",
             "2s a retiring ->",
             "3s a gone -> examine again",
             "4s ->");
}

static void a_deaf_pool_launches_nobody(void **state)
{
        (void)state;
        PLAY(listen_and_launch, "pool max 4 spare 1 2 surge 25 generation 2 dynamic start 2 missing 1 deaf delay-min 100ms delay-max 1s",
             "1s a gen 1 busy -> open again high 2",
             "1001ms -> at 1100ms high 2",
             "1100ms pool missing 0 hears -> launch b roll (generation 2, 1 of older ones left); launch c serve (start) high 2");
}

static void a_pool_that_closes_opens_nothing(void **state)
{
        (void)state;
        PLAY(listening_decide, "pool closing-down missing 1 faulty 1 look-again", "1s ->");
}

/* clang-format on */

static void remedies(void **state)
{
        static const struct {
                struct listening_facts facts;
                enum listening_remedy remedy;
        } cases[] = {
                {{.listens = true}, REMEDY_NONE},
                {{.listens = true, .is_passed = true}, REMEDY_NONE},
                {{.listens = false}, REMEDY_REOPEN},
                {{.listens = false, .damaged = true, .is_abstract = true}, REMEDY_REOPEN},
                {{.listens = true, .damaged = true}, REMEDY_REPLACE},
                {{.listens = true, .damaged = true, .is_abstract = true}, REMEDY_MEND},
                {{.listens = true, .damaged = true, .is_passed = true}, REMEDY_MEND},
                {{.listens = false, .is_passed = true}, REMEDY_MEND},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++)
                assert_int_equal(listening_remedy_of(&cases[i].facts), cases[i].remedy);
}

static void what_may_wait(void **state)
{
        (void)state;
        assert_true(listening_may_wait(true, false, 0));
        assert_true(listening_may_wait(true, false, 1));
        assert_true(listening_may_wait(true, true, 1));
        assert_false(listening_may_wait(true, true, 0));
        assert_false(listening_may_wait(false, false, 1));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(nothing_is_wrong),
                cmocka_unit_test(an_address_that_cannot_be_opened),
                cmocka_unit_test(a_listener_that_is_damaged_again_and_again),
                cmocka_unit_test(a_restart_looks_again_when_the_old_have_gone),
                cmocka_unit_test(a_deaf_pool_launches_nobody),
                cmocka_unit_test(a_pool_that_closes_opens_nothing),
                cmocka_unit_test(remedies),
                cmocka_unit_test(what_may_wait),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
