"""The command line: what each option does, what it prints where, and the exit status of every kind of end."""

from __future__ import annotations

import os
import pwd
import re
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from control import control_of
from daemon import (AS_ROOT, BINARY, POOL_USER, Daemon, binary_for_everybody, clean_environment, connect,
                    format_config, free_port, refuses, request, run_preforkd, tcp4, title, user_arguments, wait_until)

START_FAILED, USAGE, NOTHING_TO_SERVE, BAD_CONFIG = 1, 2, 3, 78

# Every key of a pool that is built, as the design spells them.
POOL_KEYS = """
    listen backlog socket_user socket_group socket_mode ipv6_only free_bind bind_to_device tcp_nodelay tcp_keepalive defer_accept
    handler_type handler argv0 start_method copy rollback_check fast_exit snapshot_after listen_fd accounting retire_signal user group
    supplementary_groups umask nice directory root_directory environment environment_file pass_environment oom_score_adj limit_nofile limit_as limit_core limit_cpu limit_nproc
    limit_data limit_stack limit_fsize clear_environment no_new_privileges scaling
    min_spare_workers max_spare_workers start_workers max_workers spare_timeout growth_pressure_limit when_full full_response max_connections_per_source
    rate_limit rate_limit_per_source source_prefix queue_timeout
    allow deny proxy_protocol banner connection_log connection_log_format lingering_close idle_timeout
    max_requests max_requests_jitter max_worker_age max_worker_memory max_recycling reload_surge start_timeout
    request_timeout request_slowlog_timeout kill_timeout detach_after max_detached_workers restart_delay_min restart_delay_max stderr
    """.split()
MASTER_KEYS = ["control", "control_group", "log_level", "log_target", "log_time", "max_workers_total", "shutdown_timeout"]


def config_file(directory: Path, text: str, name: str = "preforkd.conf") -> Path:
    path = directory / name
    path.write_text(text)
    return path


def good_config(directory: Path, /, **keys: str) -> Path:
    options = {"listen": tcp4(), "handler": "/bin/cat", **keys}
    return config_file(directory, format_config({"www": options}))


def problems(text: str, path: Path) -> dict[int, str]:
    """The problems of a file by line, from `file:line: text`."""
    return {int(line): problem for line, problem in re.findall(rf"{re.escape(str(path))}:(\d+): (.*)", text)}


# --- information ----------------------------------------------------------------------------------------------------

def test_version() -> None:
    result = run_preforkd("--version")
    assert result.returncode == 0
    assert re.fullmatch(r"preforkd \d+\.\d+\.\d+\n", result.stdout)
    assert result.stderr == ""


def test_help_names_every_option() -> None:
    result = run_preforkd("--help")
    assert result.returncode == 0
    assert result.stderr == ""
    for word in ["-c", "-t", "-T", "--listen", "--help", "--help-config", "--version", "--", "handler"]:
        assert word.lower() in result.stdout.lower(), word


def test_help_config_describes_every_key() -> None:
    result = run_preforkd("--help-config")
    assert result.returncode == 0
    assert result.stderr == ""
    for key in POOL_KEYS + MASTER_KEYS:
        assert re.search(rf"^\W*{key}\b", result.stdout, re.MULTILINE), key


# --- usage ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("arguments", [
    ["--no-such-option"], ["-x"], ["-c"], ["stray"], ["-t", "stray"], ["--listen"],
    ["--no-such-key=1", "--listen", "127.0.0.1:7007", "--"],
], ids=lambda arguments: " ".join(arguments))
def test_wrong_usage_ends_with_2_and_says_why(arguments: list[str]) -> None:
    result = run_preforkd(*arguments)
    assert result.returncode in ((USAGE, BAD_CONFIG) if "--listen" in arguments else (USAGE,)), result
    assert result.stderr.strip()
    assert result.stdout == ""


def test_an_unknown_option_is_named() -> None:
    assert "no-such-option" in run_preforkd("--no-such-option").stderr


def test_a_file_and_the_one_line_form_exclude_each_other(tmp_path: Path) -> None:
    result = run_preforkd("-c", good_config(tmp_path), "--listen", tcp4(), *user_arguments(), "--", "/bin/cat")
    assert result.returncode == USAGE


# --- -t -------------------------------------------------------------------------------------------------------------

def test_t_accepts_a_good_file_and_opens_nothing(tmp_path: Path) -> None:
    """A taken port is no problem of the file: -t must be safe beside the running daemon."""
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        path = good_config(tmp_path, listen=f"127.0.0.1:{taken.getsockname()[1]}")
        result = run_preforkd("-t", "-c", path)
    assert result.returncode == 0, result.stderr


def test_t_reports_every_problem_with_file_and_line(tmp_path: Path) -> None:
    user = f"user = {POOL_USER}\n" if AS_ROOT else ""
    path = config_file(tmp_path, "[www]\n"
                                 "listen = 127.0.0.1:70000\n"
                                 "handler = /bin/cat\n"
                                 "max_worker = 5\n"
                                 "spare_timeout = soon\n"
                                 "nonsense\n"
                                 "min_spare_workers = 1\n"
                                 "min_spare_workers = 2\n" + user)
    result = run_preforkd("-t", "-c", path)
    assert result.returncode == BAD_CONFIG
    assert set(problems(result.stderr, path)) == {2, 4, 5, 6, 8}, result.stderr
    assert "max_workers" in problems(result.stderr, path)[4], "a misspelt key gets a suggestion"


def test_keys_that_disagree_name_both_lines(tmp_path: Path) -> None:
    user = f"user = {POOL_USER}\n" if AS_ROOT else ""
    path = config_file(tmp_path, "[www]\nlisten = 127.0.0.1:7007\nhandler = /bin/cat\n" + user.strip() + "\n"
                                 "min_spare_workers = 9\nmax_spare_workers = 3\n")
    result = run_preforkd("-t", "-c", path)
    assert result.returncode == BAD_CONFIG
    assert re.search(r":[56]\b", result.stderr), result.stderr
    assert "min_spare_workers" in result.stderr and "max_spare_workers" in result.stderr
    assert re.search(r"\b5\b", result.stderr) and re.search(r"\b6\b", result.stderr), "both lines are named"


@pytest.mark.parametrize("missing", ["listen", "handler"])
def test_required_keys(tmp_path: Path, missing: str) -> None:
    options = {"listen": tcp4(), "handler": "/bin/cat"}
    del options[missing]
    result = run_preforkd("-t", "-c", config_file(tmp_path, format_config({"www": options})))
    assert result.returncode == BAD_CONFIG
    assert missing in result.stderr


def test_a_missing_file_is_a_bad_configuration(tmp_path: Path) -> None:
    result = run_preforkd("-t", "-c", tmp_path / "none.conf")
    assert result.returncode == BAD_CONFIG
    assert "none.conf" in result.stderr


def test_pools_d_is_read_beside_the_file(tmp_path: Path) -> None:
    path = config_file(tmp_path, format_config({}))
    (tmp_path / "pools.d").mkdir()
    config_file(tmp_path / "pools.d", "[broken]\nlisten = 127.0.0.1:0\n", "broken.conf")
    result = run_preforkd("-t", "-c", path)
    assert result.returncode == BAD_CONFIG
    assert re.search(r"pools\.d/broken\.conf:\d+: ", result.stderr), result.stderr


def test_pools_that_name_no_user_are_refused_to_root(tmp_path: Path, as_root: None) -> None:
    path = config_file(tmp_path, "[www]\nlisten = 127.0.0.1:7007\nhandler = /bin/cat\n")
    result = run_preforkd("-t", "-c", path)
    assert result.returncode == BAD_CONFIG
    assert "user" in result.stderr


def as_ordinary_user(directory: Path) -> dict[str, Any]:
    """How to run preforkd as somebody who is not root, whoever runs the tests."""
    if not AS_ROOT:
        return {}
    account = pwd.getpwnam(POOL_USER)
    return {"binary": binary_for_everybody(directory),
            "popen": {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}}


def test_another_user_is_refused_to_an_ordinary_user(tmp_path: Path) -> None:
    how = as_ordinary_user(tmp_path)
    result = run_preforkd("-t", "-c", good_config(tmp_path, user="root"), **how.pop("popen", {}), **how)
    assert result.returncode == BAD_CONFIG
    assert "user" in result.stderr


def test_an_ordinary_user_serves_as_itself(preforkd: Callable[..., Daemon], tmp_path: Path) -> None:
    address = tcp4()
    preforkd({"www": {"listen": address, "handler": "/usr/bin/id -u", "user": None}}, **as_ordinary_user(tmp_path))
    assert int(request(address)) == (pwd.getpwnam(POOL_USER).pw_uid if AS_ROOT else os.getuid())


# --- -T -------------------------------------------------------------------------------------------------------------

def test_dump_is_the_effective_configuration_and_reads_back(tmp_path: Path) -> None:
    path = good_config(tmp_path, max_workers="10", spare_timeout="90s", limit_nofile="100:200")
    first = run_preforkd("-T", "-c", path)
    assert first.returncode == 0, first.stderr
    for line in [r"\[www\]", r"max_workers = 10", r"handler = /bin/cat", r"spare_timeout = (90s|1m30s)",
                 r"min_spare_workers = 1", r"limit_nofile = 100:200", r"kill_timeout = 5s"]:
        assert re.search(rf"^{line}$", first.stdout, re.MULTILINE), (line, first.stdout)
    again = run_preforkd("-T", "-c", config_file(tmp_path, first.stdout, "again.conf"))
    assert again.returncode == 0, again.stderr
    assert again.stdout == first.stdout


# --- nothing to serve, failed starts --------------------------------------------------------------------------------

def test_nothing_to_serve(tmp_path: Path) -> None:
    result = run_preforkd("-c", config_file(tmp_path, format_config({})))
    assert result.returncode == NOTHING_TO_SERVE
    assert result.stderr.strip()


def test_a_taken_port_fails_the_start_with_its_address(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        result = run_preforkd("-c", good_config(tmp_path, listen=address))
    assert result.returncode == START_FAILED
    assert address in result.stderr
    assert "in use" in result.stderr.lower()


@pytest.mark.parametrize(("key", "value"), [("directory", "/nowhere"), ("directory", "/dev/null"),
                                            ("root_directory", "/nowhere")])
def test_directories_are_looked_for(tmp_path: Path, key: str, value: str) -> None:
    path = good_config(tmp_path, **{key: value})
    result = run_preforkd("-t", "-c", path)
    assert result.returncode == BAD_CONFIG
    assert f'{key}: cannot use "{value}' in result.stderr


def test_the_handler_is_looked_for_where_workers_do(tmp_path: Path) -> None:
    """On preforkd's own PATH only if that is passed on."""
    program = tmp_path / "only-here"
    program.symlink_to("/bin/cat")
    environment = clean_environment(PATH=f"{tmp_path}:{os.environ['PATH']}")
    for passed_on, code in (("no", 0), ("yes", BAD_CONFIG)):
        path = good_config(tmp_path, handler="only-here", clear_environment=passed_on)
        assert run_preforkd("-t", "-c", path, env=environment).returncode == code


def test_a_bad_file_fails_the_start(tmp_path: Path) -> None:
    path = good_config(tmp_path, nice="1000")
    result = run_preforkd("-c", path)
    assert result.returncode == BAD_CONFIG
    assert problems(result.stderr, path)


# --- the one-line form ----------------------------------------------------------------------------------------------

def test_one_line_form_serves(preforkd: Callable[..., Daemon]) -> None:
    address = tcp4()
    preforkd(arguments=["--listen", address, *user_arguments(), "--", "/bin/cat"])
    assert request(address, b"hello") == b"hello"


def test_one_line_form_takes_every_pool_key(preforkd: Callable[..., Daemon]) -> None:
    """Both spellings of a key, and a handler with arguments that need no second quoting."""
    address = tcp4()
    daemon = preforkd(arguments=[f"--listen={address}", "--min-spare-workers=3", "--max_spare_workers=3",
                                 "--max-workers=3", *user_arguments(), "--", "/bin/sh", "-c", "echo 'a;  b' $0", "c d"])
    assert request(address) == b"a;  b c d\n"
    wait_until(lambda: len(daemon.workers("main")) == 3, "three workers")


def test_one_line_form_takes_several_listeners(preforkd: Callable[..., Daemon]) -> None:
    first, second = tcp4(), tcp4()
    preforkd(arguments=["--listen", first, "--listen", second, *user_arguments(), "--", "/bin/cat"])
    assert request(first, b"1") == b"1"
    assert request(second, b"2") == b"2"


@pytest.mark.parametrize("handler", ["./handler", "../work/handler", "sub/../handler"])
def test_a_relative_handler_is_relative_to_where_we_are(preforkd: Callable[..., Daemon], tmp_path: Path, handler: str) -> None:
    """As in a shell and for tcpserver, also when handlers run elsewhere."""
    work = tmp_path / "work"
    (work / "sub").mkdir(parents=True)
    program = work / "handler"
    program.write_text("#!/bin/sh\necho here\n")
    for path in (program, work, work / "sub", tmp_path):
        path.chmod(0o755)
    address, starter = tcp4(), tmp_path / "starter"
    starter.write_text(f'#!/bin/sh\ncd {work} && exec {BINARY} "$@"\n')
    starter.chmod(0o755)
    preforkd(arguments=["--listen", address, *user_arguments(), "--directory=/", "--", handler], binary=starter)
    assert request(address) == b"here\n"


@pytest.mark.parametrize("arguments", [["--listen", "127.0.0.1:99999", "--", "/bin/cat"],
                                       ["--listen", "127.0.0.1:7007", "--max-workers=none", "--", "/bin/cat"],
                                       ["--listen", "127.0.0.1:7007", "--", ],
                                       ["--listen", "127.0.0.1:7007"]], ids=lambda arguments: " ".join(arguments))
def test_one_line_form_with_problems(arguments: list[str]) -> None:
    result = run_preforkd(*user_arguments(), *arguments)
    assert result.returncode in (USAGE, BAD_CONFIG)
    assert result.stderr.strip()


def test_t_works_with_the_one_line_form() -> None:
    result = run_preforkd("-t", "--listen", tcp4(), *user_arguments(), "--", "/bin/cat")
    assert result.returncode == 0, result.stderr


# --- starting and stopping ------------------------------------------------------------------------------------------

def test_the_effective_backlog(preforkd: Callable[..., Daemon]) -> None:
    cut = int(Path("/proc/sys/net/core/somaxconn").read_text())
    daemon = preforkd({"www": {"listen": tcp4(), "handler": "/bin/cat", "backlog": 65535}}, control=True)
    assert control_of(daemon).pool()["listeners"][0]["backlog"] == cut


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_stop_signals(preforkd: Callable[..., Daemon], number: int) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat"}})
    daemon.stop(number)
    assert refuses(address)


def test_a_graceful_stop_lets_a_request_finish(preforkd: Callable[..., Daemon]) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat"}})
    with connect(address) as client:
        client.sendall(b"before ")
        assert client.recv(100) == b"before "
        daemon.send_signal(signal.SIGTERM)
        wait_until(lambda: refuses(address), "the listener closed")
        client.sendall(b"after")
        assert client.recv(100) == b"after"
    daemon.stop()


def test_a_second_term_stops_at_once(preforkd: Callable[..., Daemon]) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat"}}, master={"shutdown_timeout": "1h"})
    with connect(address) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        daemon.send_signal(signal.SIGTERM)
        wait_until(lambda: refuses(address), "the listener closed")
        daemon.send_signal(signal.SIGTERM)
        daemon.wait_end(5)


def test_ps_tells_master_and_workers_apart(preforkd: Callable[..., Daemon]) -> None:
    daemon = preforkd({"www": {"listen": tcp4(), "handler": "/bin/cat", "scaling": "static", "max_workers": 2},
                       "other": {"listen": tcp4(), "handler": "/bin/cat", "scaling": "static", "max_workers": 1}})
    assert title(daemon.pid) == f"preforkd: master ({daemon.config})"
    daemon.wait_workers(2, "www")
    daemon.wait_workers(1, "other")
