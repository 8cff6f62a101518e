"""The server of the dashboard: one page, its scripts and one JSON answer; it reads, and serves nothing else."""

import gzip
import hashlib
import ipaddress
import socket
import sys
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from urllib.parse import parse_qs, urlsplit

from xorjax.dashboard.watch import Watcher
from xorjax.results.palette import CYCLE, NEUTRAL, RAMP, css, themed

_SCRIPT = "text/javascript; charset=utf-8"
_SCRIPTS = ("page", "elements", "points", "figures", "stages", "pareto", "curves")
# All that can be asked for. plotly writes styles of its own into the page; scripts come from here alone.
PAGES = {
    "/": ("xorjax.dashboard", "page.html", "text/html; charset=utf-8"),
    "/page.css": ("xorjax.dashboard", "page.css", "text/css; charset=utf-8"),
    **{f"/{name}.js": ("xorjax.dashboard", f"{name}.js", _SCRIPT) for name in _SCRIPTS},
    "/theme.js": ("xorjax.results", "theme.js", _SCRIPT),
    "/plotly.js": ("plotly.package_data", "plotly.min.js", _SCRIPT),
}
STATE = "/state.json"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
    "Vary": "Accept-Encoding",
}
_DRAWN = {
    **{f"plot-{i}": colour for i, colour in enumerate(CYCLE)},
    **{f"ramp-{i}": colour for i, colour in enumerate(RAMP)},
    "neutral": NEUTRAL,
}
COLOURS = {
    "edge": ("#858d96", "#737d88"),
    "off": ("#858d96", "#737d88"),
    "run": ("#8a5a00", "#ebac41"),
    "stop": ("#a64d79", "#dc9fc0"),
    **{name: (css(colour), css(colour)) for name, colour in _DRAWN.items()},
}
"""What the page has beyond the report's, and the colours of the report's figures by the names that its scripts read."""
_WORTH_COMPRESSING = 2000


@dataclass(frozen=True)
class _Page:
    content: bytes
    compressed: bytes
    kind: str
    tag: str


class DashboardServer(ThreadingHTTPServer):
    """Serves what `watcher` sees on `host`; port 0 takes a free one.

    Raises:
        OSError: the address cannot be bound.
    """

    daemon_threads = True

    def __init__(self, watcher: Watcher, host: str, port: int):
        self.watcher = watcher
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)
        self.host = host
        self.names = _names(host)

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.server_port}/"

    def knows(self, host: str | None) -> bool:
        """Whether a Host header names this server: a page of elsewhere whose name was bound to our address does not."""
        name = _host_name(host or "")
        # Only names can be bound anew. Who serves beyond this machine may be asked for by any of its addresses.
        return name in self.names or (not is_local(self.host) and _is_address(name))

    def handle_error(self, request, client_address) -> None:
        """A browser that goes away in the middle of an answer is no error."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


def is_local(host: str) -> bool:
    """Whether only this machine reaches what is bound to `host`."""
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _names(host: str) -> frozenset[str]:
    own = ("localhost", "127.0.0.1", "::1", host)
    return frozenset(name.lower() for name in (own if is_local(host) else (*own, socket.gethostname())))


def _host_name(header: str) -> str:
    """The name in a Host header, "" if there is none; a user before it has no place there."""
    try:
        return "" if "@" in header else urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


@lru_cache
def _page(path: str) -> _Page:
    package, name, kind = PAGES[path]
    content = files(package).joinpath(name).read_bytes()
    if name == "page.css":
        content = themed(content.decode(), COLOURS).encode()
    return _Page(
        content, gzip.compress(content, mtime=0), kind, f'"{hashlib.sha256(content).hexdigest()[:20]}"'
    )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "xorjax", ""
    timeout = 60
    server: DashboardServer

    def do_GET(self) -> None:
        if not self.server.knows(self.headers.get("Host")):
            return self._refuse(HTTPStatus.FORBIDDEN, "This dashboard is not served under that name.")
        try:
            url = urlsplit(self.path)
            query = parse_qs(url.query, max_num_fields=10)
        except ValueError:
            return self._refuse(HTTPStatus.BAD_REQUEST, "The address is not one.")
        if url.path == STATE:
            return self._state(query)
        if url.path not in PAGES:
            return self._refuse(HTTPStatus.NOT_FOUND, "There is nothing of that name.")
        page = _page(url.path)
        if self._has(page.tag):
            return self._answer(HTTPStatus.NOT_MODIFIED, b"", page.kind, page.tag)
        content = page.compressed if self._takes_gzip() else page.content
        return self._answer(HTTPStatus.OK, content, page.kind, page.tag, content is page.compressed)

    def _state(self, query: dict[str, list[str]]) -> None:
        tag = self.headers.get("If-None-Match", "").strip().removeprefix("W/").strip('"') or None
        name = query.get("experiment", [None])[0]
        token, content = self.server.watcher.answer(name, tag)
        kind = "application/json; charset=utf-8"
        if content is None:
            return self._answer(HTTPStatus.NOT_MODIFIED, b"", kind, f'"{token}"')
        compress = self._takes_gzip() and len(content) > _WORTH_COMPRESSING
        if compress:
            content = gzip.compress(content, 1, mtime=0)
        return self._answer(HTTPStatus.OK, content, kind, f'"{token}"', compress)

    def _not_allowed(self) -> None:
        # What such a request carries is not read: the next one could not be told from it.
        self.close_connection = True
        self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, "This dashboard only answers GET.")

    do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_TRACE = do_CONNECT = _not_allowed

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        self._answer(status, f"{message}\n".encode(), "text/plain; charset=utf-8")

    def _answer(
        self, status: HTTPStatus, content: bytes, kind: str, tag: str | None = None, compressed: bool = False
    ) -> None:
        self.send_response(status)
        if status != HTTPStatus.NOT_MODIFIED:
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
        if tag:
            self.send_header("ETag", tag)
        if compressed:
            self.send_header("Content-Encoding", "gzip")
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def _has(self, tag: str) -> bool:
        given = self.headers.get("If-None-Match", "")
        return tag in {part.strip().removeprefix("W/") for part in given.split(",")}

    def _takes_gzip(self) -> bool:
        return "gzip" in self.headers.get("Accept-Encoding", "")

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: requests are not worth a line each."""
