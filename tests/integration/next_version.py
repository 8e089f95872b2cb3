"""The next version of preforkd, as far as tests can make it: this tree with another version, with changed state, and
with an option, a counter, a command and a handler type that are added as the recipes of src/README.md say.

It is one tree for all tests that need it, because building it takes longer than they do.
"""

from __future__ import annotations

from changed_tree import Change, Programs, build_changed

OPTION = [
    Change("src/logic/config/config.h", r"POOL_MAX_RECYCLING, ", "POOL_MAX_GREETINGS, "),
    Change("src/logic/config/config.h", r"^        uint64_t max_recycling;\n", "        uint64_t max_greetings;\n"),
    Change("src/logic/config/schema.c", r"^        \[POOL_MAX_RECYCLING\] = ",
           '        [POOL_MAX_GREETINGS] = {"max_greetings", OPTION_NUMBER, POOL_FIELD(max_greetings), "3", .min = 1,\n'
           '                .max = 100, .effect = EFFECT_IN_PLACE, .help = "how often a client is greeted"},\n', "before"),
    Change("man/preforkd.conf.5", r"^\.It Ic max_recycling\n",
           ".It Ic max_greetings\n.Em ( number , default 3, 1 to 100; in place )\nHow often a client is greeted.\n", "before"),
    Change("etc/preforkd.conf", r"^#max_recycling = 2\n", "#max_greetings = 3\n"),
]

COUNTER = [
    Change("src/logic/status/counters.h", r"^        X\(retired, ",
           '        X(greeted, "greeted", COUNTER_NUMBER, NONE, NONE, "greeted", "workers_greeted", NULL, "workers that a test has greeted") \\\\\n',
           "before"),
    Change("src/master/pool/launcher.c", r"pool_counters_note\(worker->pool, COUNTER_forked\);",
           "\n        pool_counters_note(worker->pool, COUNTER_greeted);"),
]

COMMAND = [
    Change("src/logic/protocol/control_request.h", r"^        CONTROL_VERSION,\n", "        CONTROL_GREET,\n"),
    Change("src/logic/protocol/control_request.c", r"^        \[CONTROL_VERSION\] = .*?\n",
           '        [CONTROL_GREET] = {"greet", "POOL", ARGUMENT_POOL, .required = true},\n'),
    Change("src/master/control/control_commands.c", r"^static const struct \{\n        void \(\*execute\)",
           "static void do_greet(const struct control_order *order)\n{\n"
           "        pool_record(order->pool, LOG_NOTICE, \"greeted\");\n"
           "        control_client_answer(order->client, status_json_ok(CONTROL_GREET));\n}\n\n", "before"),
    Change("src/master/control/control_commands.c", r"^        \[CONTROL_VERSION\] = .*?\n",
           "        [CONTROL_GREET] = {do_greet, .needs_pool = true},\n"),
    Change("src/ctl/preforkctl.c", r'^( +)"  resume POOL [^\n]*\n',
           '\\1"  greet POOL                 greet a pool\\n"\n'),
    Change("man/preforkctl.1", r"^\.It Ic resume Ar pool\n", ".It Ic greet Ar pool\nGreet a pool.\n", "before"),
    Change("man/preforkd-control.7.in", r"^\.It Ic resume Ar pool\n", ".It Ic greet Ar pool\nGreet a pool.\n", "before"),
]

HANDLER_TYPE = [
    Change("src/logic/config/config.h", r"HANDLER_TYPE_COUNT \}", "HANDLER_GREETING, HANDLER_TYPE_COUNT }", "instead"),
    Change("src/logic/config/schema.c", r'\{"inetd", HANDLER_INETD\},', ' {"greeting", HANDLER_GREETING},'),
    Change("src/worker/runtime_greeting.h", "", """/* The runtime of a greeting: the worker itself greets. */
#pragma once

#include "worker/runtime.h"

extern const struct runtime_ops runtime_greeting;
"""),
    Change("src/worker/runtime_greeting.c", "", """#include "worker/runtime_greeting.h"

#include <sys/socket.h>
#include <unistd.h>

static int prepare(const struct worker_plan *plan, int log_read_fd, void **ret)
{
        (void)plan;
        (void)log_read_fd;
        *ret = NULL;
        return 0;
}

static int serve(void *runtime, int connection, const struct client *client, struct runtime_outcome *ret)
{
        (void)runtime;
        (void)client;
        ssize_t sent = send(connection, "hello\\n", 6, MSG_NOSIGNAL);
        *ret = (struct runtime_outcome){.status = sent == 6 ? 0 : 1};
        close(connection);
        return 0;
}

static int interrupt(int signal_number)
{
        (void)signal_number;
        return 0;
}

static void end(void *runtime)
{
        (void)runtime;
}

const struct runtime_ops runtime_greeting = {.prepare = prepare, .serve = serve, .interrupt = interrupt, .end = end};
"""),
    Change("src/worker/runtimes.c", r"^                \[HANDLER_INETD\] = &runtime_inetd,\n",
           "                [HANDLER_GREETING] = &runtime_greeting,\n"),
    Change("src/worker/runtimes.c", r'#include "worker/runtime_inetd.h"\n', '#include "worker/runtime_greeting.h"\n', "before"),
    Change("src/worker/meson.build", r"^    'runtime_inetd\.c',\n", "    'runtime_greeting.c',\n"),
    Change("man/preforkd.conf.5", r"^\.It Ic handler_type\n\.Em .*?\n", ".Li greeting\ngreets.\n"),
]

RECIPES = {"an option": OPTION, "a counter": COUNTER, "a command": COMMAND, "a handler type": HANDLER_TYPE}

VERSION = "99.0"
LESS = "launch_failing"  # the name of a handed-over member whose loss does not matter
MORE = "of_a_later_day"
STATE = [
    Change("meson.build", r"^  version: '[^']+'", f"  version: '{VERSION}'", "instead"),
    Change("src/master/pool/pool_state.c", rf'FIELD\(struct pool, [\w.]+, "{LESS}"\),',
           f'FIELD(struct pool, {MORE}, "{MORE}"),', "instead"),
    Change("src/master/pool/pool.h", r"^struct pool {\n", f"        uint64_t {MORE};\n"),
]


def build_next_version() -> Programs:
    return build_changed("next-version", [*STATE, *(change for changes in RECIPES.values() for change in changes)])
