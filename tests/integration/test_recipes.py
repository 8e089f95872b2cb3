"""The recipes of src/README.md, followed: an option, a counter, a command and a handler type are added to a copy of the
tree, which is then built and used. A recipe that misses a step does not build, or fails here; one that names a file too
many or too few fails as well.
"""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from changed_tree import Change, Programs, build_changed
from control import control_of
from daemon import ROOT, Daemon, request, run_preforkd, tcp4, wait_until

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
           '        X(greeted, "greeted", COUNTER_NUMBER, NONE, NONE, "greeted", "workers that a test has greeted") \\\\\n',
           "before"),
    Change("src/master/pool/launcher.c", r"pool_counters_note\(pool, COUNTER_forked\);",
           "\n        pool_counters_note(pool, COUNTER_greeted);"),
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
    Change("src/logic/config/config.h", r"HANDLER_MODULE \}", "HANDLER_MODULE, HANDLER_GREETING }", "instead"),
    Change("src/logic/config/schema.c", r'\{"inetd", HANDLER_INETD\},', ' {"greeting", HANDLER_GREETING},'),
    Change("src/worker/runtime_greeting.h", "", """/* The runtime of a greeting: the worker itself greets. */
#pragma once

#include "worker/runtime.h"

extern const struct runtime_ops runtime_greeting;
"""),
    Change("src/worker/runtime_greeting.c", "", """#include "worker/runtime_greeting.h"

#include <sys/socket.h>
#include <unistd.h>

static int prepare(const struct worker_plan *plan, void **ret)
{
        (void)plan;
        *ret = NULL;
        return 0;
}

static int serve(void *runtime, int connection, const struct address *peer, struct runtime_outcome *ret)
{
        (void)runtime;
        (void)peer;
        ssize_t sent = send(connection, "hello\\n", 6, MSG_NOSIGNAL);
        *ret = (struct runtime_outcome){.status = sent == 6 ? 0 : 1};
        close(connection);
        return 0;
}

static void interrupt(int signal_number)
{
        (void)signal_number;
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


def recipe(name: str) -> str:
    text = (ROOT / "src/README.md").read_text()
    found = re.search(rf"^### How to add {name}\n(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"src/README.md has no recipe for {name}"
    return found.group(1).strip()


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_names_its_files(name: str) -> None:
    """In ten lines; `X` in a name stands for that of the new thing."""
    text = recipe(name)
    named = {file.replace("_X", "_greeting") for file in re.findall(r"`((?:src|man|etc)/[\w./-]+\.\w+)`", text)}
    assert named == {change.file for change in RECIPES[name]}
    assert text.count("\n") < 10


@pytest.fixture(scope="session")
def programs() -> Programs:
    return build_changed("recipes", [change for changes in RECIPES.values() for change in changes])


@pytest.fixture
def daemon(preforkd: Callable[..., Daemon], programs: Programs, tmp_path: Path) -> Daemon:
    pools = {"www": {"listen": tcp4(), "handler": "/bin/cat", "scaling": "static", "max_workers": 2, "max_greetings": 7},
             "hello": {"listen": tcp4(), "handler_type": "greeting", "handler": "/bin/true", "max_workers": 1}}
    return preforkd(pools, master={"control": tmp_path / "control.sock"}, binary=programs.preforkd)


def test_the_option_works(daemon: Daemon, programs: Programs) -> None:
    said = run_preforkd("-T", "-c", daemon.config, binary=programs.preforkd).stdout
    assert re.search(r"^max_greetings = 7$", said, re.MULTILINE), said
    assert "max_greetings" in run_preforkd("--help-config", binary=programs.preforkd).stdout
    daemon.config.write_text(daemon.config.read_text().replace("max_greetings = 7", "max_greetings = 101"))
    refused = run_preforkd("-t", "-c", daemon.config, binary=programs.preforkd)
    assert refused.returncode != 0 and re.search(r":\d+: .*max_greetings", refused.stderr + refused.stdout)


def test_the_counter_counts(daemon: Daemon, programs: Programs) -> None:
    """In the status, in the sum over pools, in the report, in the manual, and over an upgrade."""
    control = control_of(daemon)
    wait_until(lambda: control.pool("www")["totals"]["greeted"] == 2, "both workers are counted")
    status = control.ask("status")
    assert status["master"]["totals"]["greeted"] == sum(pool["totals"]["greeted"] for pool in status["pools"])
    mark = daemon.log_mark()
    daemon.send_signal(signal.SIGUSR1)
    daemon.wait_log(r"pool www: generation 1: .*, 2 greeted, ", after=mark)
    assert re.search(r"^\.It Ic greeted\nWorkers that a test has greeted\.$",
                     (programs.manuals / "preforkd-control.7").read_text(), re.MULTILINE)
    assert control.ask("upgrade", timeout=30)["ok"]
    assert control.pool("www")["totals"]["greeted"] == 2


def test_the_command_does_it(daemon: Daemon, programs: Programs) -> None:
    control = control_of(daemon)
    ctl = [programs.preforkctl, "-s", str(control.path)]
    done = subprocess.run([*ctl, "greet", "www"], capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 0, done.stderr
    assert any(decision["text"] == "greeted" for decision in control.ask("why www")["pools"][0]["decisions"])
    refused = subprocess.run([*ctl, "greet"], capture_output=True, text=True, check=False, timeout=20)
    assert refused.returncode == 2
    assert "greet POOL" in subprocess.run([*ctl, "help"], capture_output=True, text=True, check=True).stdout


def test_the_handler_type_serves(daemon: Daemon) -> None:
    assert request(str(daemon.pools["hello"]["listen"])) == b"hello\n"
    control = control_of(daemon)
    wait_until(lambda: control.pool("hello")["totals"]["requests"] == 1, "the request is counted")
