"""The server of the dashboard: one page, its scripts, one JSON answer and the reports; it only reads."""

import gzip
import hashlib
import ipaddress
import re
import socket
import sys
from functools import lru_cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from urllib.parse import parse_qs, unquote, urlsplit

from xorjax.dashboard.files import tag_of
from xorjax.dashboard.watch import Watcher
from xorjax.results.page import script_data
from xorjax.results.palette import ON_DARK, themed

_OWN = ("page.css", "page.js", "elements.js", "points.js", "report.js")
# Beside the state and the reports, all that can be asked for: package and file.
PAGES = {
    "/": ("xorjax.dashboard", "page.html"),
    **{f"/{name}": ("xorjax.dashboard", name) for name in _OWN},
    **{f"/{name}": ("xorjax.results", name) for name in ("report.css", "theme.js", "plots.js")},
    "/plotly.js": ("plotly.package_data", "plotly.min.js"),
}
STATE = "/state.json"
# What lies beside an experiment's plan and is served: the report, and what it links to.
_REPORT = re.compile(r"/report/([^/]+)/(|results\.csv|results\.parquet)")
_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}
# plotly writes styles of its own into the page; scripts come from here alone.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src data:; connect-src 'self'; "
    "frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# A report is one file and may load nothing: as its own meta element says, whoever wrote it.
REPORT_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
    "Vary": "Accept-Encoding",
}
_WORTH_COMPRESSING = 2000


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
        own = ("localhost", "127.0.0.1", "::1", host, *(() if is_local(host) else (socket.gethostname(),)))
        self.names = frozenset(name.lower() for name in own)

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.server_port}/"

    def knows(self, host: str | None) -> bool:
        """Whether a Host header names this server: a page of elsewhere whose name was bound to our address does not."""
        try:
            # A user before the name has no place there.
            name = "" if "@" in (host or "") else urlsplit(f"//{host or ''}").hostname or ""
        except ValueError:
            return False
        # Only names can be bound anew. Who serves beyond this machine may be asked for by any of its addresses.
        return name in self.names or (not is_local(self.host) and _is_address(name))

    def handle_error(self, request, client_address) -> None:
        """A browser that goes away in the middle of an answer is no error."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


def is_local(host: str) -> bool:
    """Whether only this machine reaches what is bound to `host`."""
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


@lru_cache
def _page(path: str) -> bytes:
    """What is served under a path."""
    package, name = PAGES[path]
    content = files(package).joinpath(name).read_bytes()
    if path == "/report.css":
        content = themed(content.decode()).encode()
    if path == "/theme.js":
        content = f"{script_data('ON_DARK', ON_DARK)}\n".encode() + content
    return content


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
            return self._give(self.server.watcher.answer(query.get("experiment", [None])[0]).encode(), STATE)
        if url.path in PAGES:
            return self._give(_page(url.path), PAGES[url.path][1])
        asked = _REPORT.fullmatch(url.path)
        report = self.server.watcher.report(unquote(asked[1])) if asked else None
        if asked is None or report is None:
            return self._refuse(HTTPStatus.NOT_FOUND, "There is nothing of that name.")
        path = report / (asked[2] or "report.html")
        try:
            content = path.read_bytes() if tag_of(path) else None
        except OSError:
            content = None
        if content is None:
            return self._refuse(HTTPStatus.NOT_FOUND, "It has not been written yet.")
        return self._give(content, path.name, REPORT_POLICY)

    def _not_allowed(self) -> None:
        # What such a request carries is not read: the next one could not be told from it.
        self.close_connection = True
        self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, "This dashboard only answers GET.", Allow="GET")

    do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_TRACE = do_CONNECT = _not_allowed

    def _give(self, content: bytes, name: str, policy: str = PAGE_POLICY) -> None:
        """A file of this name, unless whoever asks has it already."""
        headers = {"ETag": f'"{hashlib.sha256(content).hexdigest()[:20]}"'}
        if headers["ETag"] in self.headers.get("If-None-Match", ""):
            return self._answer(HTTPStatus.NOT_MODIFIED, b"", policy, **headers)
        headers["Content-Type"] = _TYPES[name.rpartition(".")[2]]
        if len(content) > _WORTH_COMPRESSING and "gzip" in self.headers.get("Accept-Encoding", ""):
            content, headers["Content-Encoding"] = gzip.compress(content, 1, mtime=0), "gzip"
        return self._answer(HTTPStatus.OK, content, policy, **headers)

    def _refuse(self, status: HTTPStatus, message: str, **headers: str) -> None:
        kind = {"Content-Type": "text/plain; charset=utf-8"}
        self._answer(status, f"{message}\n".encode(), **kind, **headers)

    def _answer(self, status: HTTPStatus, content: bytes, policy: str = PAGE_POLICY, **headers: str) -> None:
        self.send_response(status)
        length = {} if status == HTTPStatus.NOT_MODIFIED else {"Content-Length": str(len(content))}
        for name, value in ({"Content-Security-Policy": policy} | HEADERS | length | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: requests are not worth a line each."""
