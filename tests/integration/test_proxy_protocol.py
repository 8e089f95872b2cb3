"""proxy_protocol: who the client is that a proxy announces, the same for everything that serves by connections that
preforkd accepts; with real proxies."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from control import control_of
from daemon import (Daemon, connect, format_config, free_port, port_of, read_all, run_preforkd, stays, tcp4, wait_until)
from handler_kinds import KINDS, Kind
from datagrams import udp

Start = Callable[..., Daemon]
BAD_CONFIG = 78

ACCEPTED_HERE = [kind for kind in KINDS if not kind.is_program]
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V1 = b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n"
PRINT = "env | grep -E '^(PROTO|TCP|REMOTE|UNIX|PROXY)' | sort"
REPEAT = f"read line; echo $line; {PRINT}"
METHODS = {"exec": {}, "forkserver": {"start_method": "forkserver"},
           "rollback": {"start_method": "forkserver", "copy": "rollback"}}


def v2(source: str = "192.0.2.1", target: str = "198.51.100.7", values: bytes = b"", command: int = 0x21) -> bytes:
    body = socket.inet_aton(source) + socket.inet_aton(target) + struct.pack("!HH", 56324, 443) + values
    return SIGNATURE + bytes([command, 0x11]) + struct.pack("!H", len(body)) + body


def value(kind: int, data: bytes) -> bytes:
    return bytes([kind]) + struct.pack("!H", len(data)) + data


def tell(address: str, *pieces: bytes, pause: float = 0.0) -> bytes:
    """The answer to these bytes, sent piece by piece; b"": it was refused."""
    with connect(address) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1) if client.family != socket.AF_UNIX else None
        try:
            for piece in pieces:
                client.sendall(piece)
                time.sleep(pause)
            client.shutdown(socket.SHUT_WR)
            return read_all(client)
        except (BrokenPipeError, ConnectionResetError, OSError):
            return b""


def counts(daemon: Daemon) -> dict[str, int]:
    return dict(control_of(daemon).pool()["counts"])


def totals(daemon: Daemon) -> dict[str, int]:
    return dict(control_of(daemon).pool()["totals"])


@pytest.mark.parametrize("kind", ACCEPTED_HERE, ids=lambda kind: kind.name)
def test_every_kind(preforkd: Start, tmp_path: Path, kind: Kind) -> None:
    """The handler gets what follows the header, to the byte; rules are about who was announced; what has no header is
    refused."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "proxy_protocol": "127.0.0.0/8", "deny": "192.0.2.66",
                               "scaling": "static", "max_workers": 1, **kind.echo(tmp_path)}, **kind.behind(tmp_path)},
                      control=True)
    for header in (V1, v2(), v2(command=0x20), b"PROXY UNKNOWN\r\n"):
        assert tell(address, header + b"hello") == b"hello"
        assert tell(address, header, b"hello") == b"hello"
        assert tell(address, *(header[i:i + 1] for i in range(len(header))), b"hello", pause=0.001) == b"hello"
    assert tell(address, v2("192.0.2.66") + b"hello") == b""
    wait_until(lambda: totals(daemon)["refused_access"] == 1, "denied")
    daemon.wait_said("refused a connection from 192.0.2.66, announced by 127.0.0.1: deny has its address")
    assert tell(address, b"hello") == tell(address, V1[:-4]) == tell(address, v2(values=b"x") + b"hello") == b""
    wait_until(lambda: totals(daemon)["refused_proxy"] == 3, "refused")
    daemon.wait_said("refused a connection from 127.0.0.1: it does not begin with a PROXY header (proxy_protocol)")
    assert tell(address, V1 + b"again") == b"again"
    wait_until(lambda: totals(daemon)["requests"] == 13, "served")
    assert totals(daemon)["died"] == 0 and totals(daemon)["refused"] == 4


@pytest.mark.parametrize("method", METHODS)
def test_the_handler_knows_the_client(preforkd: Start, method: str) -> None:
    address = tcp4()
    preforkd({"www": {"listen": address, "proxy_protocol": "127.0.0.1", "handler": ["/bin/sh", "-c", PRINT], **METHODS[method]}})

    def told(header: bytes) -> dict[str, str]:
        return dict(line.split("=", 1) for line in tell(address, header).decode().splitlines())

    expected = {"PROTO": "TCP", "TCPREMOTEIP": "192.0.2.1", "TCPREMOTEPORT": "56324", "REMOTE_ADDR": "192.0.2.1",
                "REMOTE_PORT": "56324", "REMOTE_HOST": "192.0.2.1", "TCPLOCALIP": "198.51.100.7", "TCPLOCALPORT": "443",
                "PROXY_ADDR": "127.0.0.1"}
    said = told(V1)
    assert said.pop("PROXY_PORT").isdigit()
    assert said == {**expected, "PROXY_VERSION": "1"}
    ssl = value(0x20, b"\x07\0\0\0\0" + value(0x21, b"TLSv1.3") + value(0x22, b"alice") + value(0x23, b"AES"))
    said = told(v2(values=value(2, b"example.org") + value(5, b"\x01\xfe") + ssl))
    assert said.pop("PROXY_PORT").isdigit()
    assert said == {**expected, "PROXY_VERSION": "2", "PROXY_AUTHORITY": "example.org", "PROXY_UNIQUE_ID": "01fe",
                    "PROXY_SSL": "TLSv1.3", "PROXY_SSL_NAME": "alice", "PROXY_SSL_CIPHER": "AES"}
    said = told(v2(command=0x20))  # its own
    assert (said["REMOTE_ADDR"], said["TCPLOCALPORT"]) == ("127.0.0.1", str(port_of(address)))
    assert said["PROXY_VERSION"] == "2" and "PROXY_AUTHORITY" not in said, "what was said before is forgotten"


def test_others_are_not_asked(preforkd: Start, tmp_path: Path) -> None:
    """A header from somebody who is no proxy is what it looks like to the handler."""
    address, path = tcp4(), str(tmp_path / "socket")
    preforkd({"www": {"listen": [address, path], "proxy_protocol": "192.0.2.0/24 unix", "handler": "/bin/cat"}})
    assert tell(address, V1 + b"x") == V1 + b"x"
    assert tell(path, V1 + b"x") == b"x" and tell(path, b"x") == b""


def test_a_slow_header(preforkd: Start) -> None:
    """It has three seconds; meanwhile its worker is no spare one, and it is no request. Nobody else waits for it."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "proxy_protocol": "127.0.0.1", "handler": "/bin/cat",
                               "min_spare_workers": 1, "start_workers": 1, "max_workers": 3, "request_timeout": "1s"}},
                      control=True)
    with connect(address) as slow:
        slow.sendall(V1[:10])
        begun = time.monotonic()
        wait_until(lambda: counts(daemon)["total"] == 2, "another spare worker")
        assert totals(daemon)["requests"] == 0
        assert tell(address, V1 + b"x") == b"x"
        assert read_all(slow) == b""
        assert 2.5 < time.monotonic() - begun < 8
    wait_until(lambda: totals(daemon)["refused_proxy"] == 1, "refused")
    daemon.wait_said("refused a connection from 127.0.0.1: it did not send its PROXY header in time (proxy_protocol)")
    wait_until(lambda: counts(daemon)["idle"] == counts(daemon)["total"] >= 2, "all idle again")
    assert totals(daemon)["requests"] == 1 and totals(daemon)["request_timeouts"] == 0


def test_nobody_is_lost_in_a_reload(preforkd: Start) -> None:
    """A worker that waits for a header when it is retired serves that client."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "proxy_protocol": "127.0.0.1", "handler": "/bin/cat",
                               "scaling": "static", "max_workers": 1}}, control=True)
    with connect(address) as client:
        client.sendall(V1[:10])
        wait_until(lambda: counts(daemon)["idle"] == 0, "it waits for the rest")
        daemon.pools["www"]["umask"] = "0077"  # type: ignore[index]
        daemon.hup()
        client.sendall(V1[10:] + b"hello")
        client.shutdown(socket.SHUT_WR)
        assert read_all(client) == b"hello"


def test_the_limit_by_source_is_of_the_client(preforkd: Start) -> None:
    address = tcp4()
    preforkd({"www": {"listen": address, "proxy_protocol": "127.0.0.1", "handler": "/bin/cat",
                      "max_connections_per_source": 1, "max_workers": 4}})
    with connect(address) as first:
        first.sendall(v2("192.0.2.1") + b"x")
        assert first.recv(1) == b"x"
        assert tell(address, v2("192.0.2.2") + b"x") == b"x"
        assert tell(address, v2("192.0.2.1") + b"x") == b""


def test_connections_without_a_byte_are_no_news(preforkd: Start) -> None:
    """So looks whoever only tries whether somebody listens."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "proxy_protocol": "127.0.0.1", "handler": "/bin/cat"}}, control=True)
    connect(address).close()
    wait_until(lambda: totals(daemon)["refused_proxy"] == 1, "counted")
    stays(lambda: daemon.said("refused a connection from 127.0.0.1: it ended before its PROXY header (proxy_protocol)") == 0,
          "not logged", 0.1)


def test_who_has_no_header(tmp_path: Path) -> None:
    path = tmp_path / "checked.conf"
    for keys, said in (({"listen": udp(), "handler_type": "builtin", "handler": "echo"}, "datagrams have no PROXY header"),
                       ({"handler_type": "listener", "handler": "/bin/cat"}, "a handler that accepts itself")):
        path.write_text(format_config({"www": {"listen": "127.0.0.1:1", "proxy_protocol": "unix", **keys}}))
        result = run_preforkd("-t", "-c", path)
        assert result.returncode == BAD_CONFIG and f"proxy_protocol: {said}" in result.stderr


# --- real proxies -----------------------------------------------------------------------------------------------------

@contextmanager
def running(command: list[str], port: int, directory: Path) -> Iterator[None]:
    with (directory / "proxy.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_until(lambda: process.poll() is not None or answers(port), "the proxy listens")
        assert process.poll() is None, (directory / "proxy.log").read_text()
        yield
    finally:
        process.terminate()
        process.wait(20)


def answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


HAPROXY = """
global
    log stdout format raw local0
defaults
    mode tcp
    timeout connect 5s
    timeout client 10s
    timeout server 10s
frontend front
    bind 127.0.0.1:{port}
    default_backend back
backend back
    server one {address} {send} check inter 100ms fall 1 rise 1
"""


@pytest.mark.skipif(not shutil.which("haproxy"), reason="needs haproxy")
@pytest.mark.parametrize("send", ["send-proxy", "send-proxy-v2", "send-proxy-v2-ssl", "send-proxy-v2 proxy-v2-options crc32c,unique-id"])
@pytest.mark.parametrize("method", METHODS)
def test_haproxy(preforkd: Start, tmp_path: Path, method: str, send: str) -> None:
    """Its client is announced; its health checks are its own (LOCAL), and keep the server up."""
    address, port = tcp4(), free_port()
    daemon = preforkd({"www": {"listen": address, "proxy_protocol": "127.0.0.1", "handler": ["/bin/sh", "-c", REPEAT], **METHODS[method]}},
                      control=True)
    (tmp_path / "haproxy.cfg").write_text(HAPROXY.format(port=port, address=address, send=send))
    with running(["haproxy", "-db", "-f", str(tmp_path / "haproxy.cfg")], port, tmp_path):
        wait_until(lambda: totals(daemon)["requests"] + totals(daemon)["refused_proxy"] >= 3, "it has been checked")
        with socket.socket() as client:
            client.settimeout(10)
            client.bind(("127.0.0.77", 0))
            client.connect(("127.0.0.1", port))
            client.sendall(b"hello\n")
            answer = read_all(client).decode().splitlines()
        assert answer[0] == "hello"
        said = dict(line.split("=", 1) for line in answer[1:])
        assert (said["REMOTE_ADDR"], said["TCPLOCALPORT"]) == ("127.0.0.77", str(port))
        assert said["PROXY_VERSION"] == ("1" if send == "send-proxy" else "2") and said["PROXY_ADDR"] == "127.0.0.1"
    assert "DOWN" not in (tmp_path / "proxy.log").read_text()


NGINX = """
{user}
worker_processes 1;
error_log {directory}/error.log;
pid {directory}/nginx.pid;
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
events {{ worker_connections 64; }}
stream {{
    server {{
        listen 127.0.0.1:{port};
        proxy_pass {address};
        proxy_protocol on;
    }}
}}
"""


@pytest.mark.skipif(not Path("/usr/lib/nginx/modules/ngx_stream_module.so").exists(), reason="needs libnginx-mod-stream")
def test_nginx(preforkd: Start, tmp_path: Path) -> None:
    address, port = tcp4(), free_port()
    preforkd({"www": {"listen": address, "proxy_protocol": "127.0.0.1", "handler": ["/bin/sh", "-c", REPEAT]}})
    user = "user nobody nogroup;" if os.geteuid() == 0 else ""
    (tmp_path / "nginx.conf").write_text(NGINX.format(directory=tmp_path, port=port, address=address, user=user))
    command = [shutil.which("nginx") or "/usr/sbin/nginx", "-c", str(tmp_path / "nginx.conf"), "-g", "daemon off;"]
    with running(command, port, tmp_path), socket.socket() as client:
        client.settimeout(10)
        client.bind(("127.0.0.77", 0))
        client.connect(("127.0.0.1", port))
        client.sendall(b"hello\n")
        answer = read_all(client).decode().splitlines()
    assert answer[0] == "hello" and "REMOTE_ADDR=127.0.0.77" in answer and f"TCPLOCALPORT={port}" in answer
