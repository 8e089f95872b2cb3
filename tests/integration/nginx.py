"""nginx in front of a pool: the client of FastCGI programs that people use."""

from __future__ import annotations

import http.client
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import pytest

from daemon import AS_ROOT, SLOW, free_port, wait_until

CONFIG = """
{user}
worker_processes 1;
error_log {directory}/nginx-error.log notice;
pid {directory}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {directory}/nginx-body;
    fastcgi_temp_path {directory}/nginx-fastcgi;
    proxy_temp_path {directory}/nginx-proxy;
    uwsgi_temp_path {directory}/nginx-uwsgi;
    scgi_temp_path {directory}/nginx-scgi;
    server {{
        listen 127.0.0.1:{port} backlog=2048;
        {locations}
    }}
}}
"""

LOCATION = """
        location {prefix} {{
            fastcgi_pass unix:{socket};
            fastcgi_param SCRIPT_FILENAME {root}$fastcgi_script_name;
            fastcgi_param SCRIPT_NAME $fastcgi_script_name;
            fastcgi_param REQUEST_METHOD $request_method;
            fastcgi_param QUERY_STRING $query_string;
            fastcgi_param CONTENT_TYPE $content_type;
            fastcgi_param CONTENT_LENGTH $content_length;
            fastcgi_param REDIRECT_STATUS 200;
            fastcgi_read_timeout 60;
        }}
"""


class Nginx:
    """A server of its own; `locations` are prefixes and the sockets behind them."""

    def __init__(self, directory: Path, locations: Mapping[str, str | Path], root: Path) -> None:
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        if not Path(program).exists():
            pytest.skip("needs nginx")
        self.directory = directory
        self.port = free_port()
        # Workers of a root nginx are nobody, whom the directory lets in.
        config = directory / "nginx.conf"
        config.write_text(CONFIG.format(
            user="user nobody nogroup;" if AS_ROOT else "", directory=directory, port=self.port,
            locations="".join(LOCATION.format(prefix=prefix, socket=socket, root=root)
                              for prefix, socket in locations.items())))
        self.process = subprocess.Popen([program, "-p", str(directory), "-e", str(directory / "nginx-error.log"), "-c",
                                         str(config), "-g", "daemon off;"], stdin=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        try:
            wait_until(self.answers, "nginx")
        except BaseException:
            self.close()
            raise

    def answers(self) -> bool:
        try:
            self.get("/nothing-here")
        except OSError:
            return False
        return True

    def get(self, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60 * SLOW)
        try:
            connection.request("POST" if body is not None else "GET", path, body)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def ask(self, path: str, body: bytes | None = None) -> str:
        """An answer that must be good."""
        status, text = self.get(path, body)
        assert status == 200, (status, text, self.complaints())
        return text.decode()

    def complaints(self) -> str:
        """What nginx has to say about those behind it."""
        lines = (self.directory / "nginx-error.log").read_text().splitlines()
        return "\n".join(line for line in lines if "[error]" in line or "[alert]" in line or "[crit]" in line)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(10 * SLOW)

    def __enter__(self) -> Nginx:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()
