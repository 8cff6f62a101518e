"""The server answers GET for what it knows, to whoever calls it by its own name."""

import gzip
import http.client
import json
import os
import re
import threading
from contextlib import closing

import pytest
from run_files import RunFiles

from xorjax import cli
from xorjax.dashboard.server import PAGES, REPORT_POLICY, DashboardServer
from xorjax.dashboard.watch import Watcher
from xorjax.results import page

REPORT = page.document("sweep", "<p>" + 300 * "a result " + "</p>", [])


@pytest.fixture
def files(tmp_path):
    files = RunFiles(tmp_path / "runs", 8)
    files.plan()
    files.begin("dense", "dense-a")
    return files


@pytest.fixture
def server(files):
    with DashboardServer(Watcher(files.runs), "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def ask(server):
    def ask(path, method="GET", **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        with closing(http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)) as connection:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()

    return ask


@pytest.mark.parametrize("path", [*PAGES, "/state.json?experiment=sweep", "/report/sweep/"])
def test_what_is_served_comes_once_and_then_is_not_modified(ask, files, path):
    (files.report / "report.html").write_text(REPORT)
    status, headers, content = ask(path)
    assert status == 200
    assert len(content) > 300
    assert ask(path, If_None_Match=f'W/{headers["ETag"]}, "x"')[::2] == (304, b"")
    _, headers, packed = ask(path, Accept_Encoding="gzip")
    assert (gzip.decompress(packed) if len(content) > 2000 else packed) == content


def test_a_report_and_what_it_links_to_are_served_as_they_are_on_disk(ask, files):
    for name in ("", "results.csv", "results.parquet"):
        assert ask(f"/report/sweep/{name}")[0] == 404
        path = files.report / (name or "report.html")
        for content in (b"<b>one</b>", b"<b>another</b>"):
            path.write_bytes(content)
            status, headers, served = ask(f"/report/sweep/{name}")
            assert (status, served) == (200, content)
            assert headers["Content-Security-Policy"] == REPORT_POLICY
            assert ask(f"/report/sweep/{name}", If_None_Match=headers["ETag"])[0] == 304
    path = files.report / "results.csv"
    for make in (lambda: path.symlink_to("/etc/hostname"), lambda: os.mkfifo(path), path.mkdir):
        path.unlink()
        make()
        assert ask("/report/sweep/results.csv")[0] == 404


def test_a_report_is_fenced_as_its_own_meta_element_says():
    meta = re.search(r'Content-Security-Policy" content="([^"]+)"', REPORT)
    assert meta
    assert REPORT_POLICY.startswith(meta[1])
    assert "connect-src" not in REPORT_POLICY
    assert "frame-ancestors 'self'" in REPORT_POLICY


NOWHERE = """
/stages.jsonl /runs/reports/sweep/plan.json /../page.py /..%2f..%2fetc/passwd //etc/passwd /page.css/ /server.py
/favicon.ico /state.json/x /report/ /report/sweep /report/sweep/plan.json /report/sweep/../sweep/plan.json
/report/sweep%2f..%2fsweep/ /report/sweep/points/ /report/sweep/%2e%2e /report/other/ /report/../ /report/%00/
"""
METHODS = ("HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE")
STRANGERS = "evil.example evil.example:8765 10.0.0.1 127.0.0.1.evil.example [ localhost@evil evil@localhost"


@pytest.mark.parametrize(
    ("path", "method", "host", "status"),
    [
        *((path, "GET", "localhost", 404) for path in NOWHERE.split()),
        *((f"/state.json?experiment={name}", "GET", "localhost", 200) for name in ("other", "../..", "%00")),
        ("http://[", "GET", "localhost", 400),
        ("/state.json?" + "&".join(f"a{i}=1" for i in range(20)), "GET", "localhost", 400),
        *(("/", method, "localhost", 405) for method in METHODS),
        ("/", "BREW", "localhost", 501),
        *((path, "GET", host, 403) for host in ("", *STRANGERS.split()) for path in ("/", "/report/sweep/")),
        *(("/", "GET", host, 200) for host in ("LOCALHOST:1", "127.0.0.1:9", "[::1]:7")),
    ],
)
def test_only_get_for_what_there_is_is_answered_to_who_knows_the_name(ask, path, method, host, status):
    answered, headers, content = ask(path, method, Host=host)
    assert answered == status
    assert status != 405 or headers["Allow"] == "GET"
    assert "?experiment" not in path or json.loads(content)["experiment"] is None


def test_who_serves_beyond_this_machine_is_asked_by_address(files):
    with DashboardServer(Watcher(files.runs), "0.0.0.0", 0) as server:
        names = ("10.1.2.3:8765", "localhost", "evil.example")
        assert [server.knows(name) for name in names] == [True, True, False]


@pytest.mark.parametrize("path", ["/", "/state.json", "/nothing", "/plotly.js", "/report/none/"])
def test_every_answer_has_the_headers_that_fence_the_page(ask, path):
    _, headers, _ = ask(path)
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Access-Control-Allow-Origin" not in headers


def test_the_page_asks_for_nothing_but_what_is_served_and_no_script_writes_html_or_has_a_colour(ask):
    asked = set(re.findall(r'(?:src|href)="([^"#]+)"', ask("/")[2].decode())) - {"data:,"}
    for path in PAGES:
        if path.endswith(".js") and path != "/plotly.js":
            script = ask(path)[2].decode()
            asked |= set(re.findall(r'from "([^"]+)"', script))
            assert not re.findall(r"innerHTML|outerHTML|insertAdjacent|eval\(", script)
            assert path == "/theme.js" or not re.findall(r"#[0-9a-fA-F]{6}\b", script)
    assert asked == set(PAGES) - {"/"}


def test_the_command_refuses_what_it_cannot_serve(tmp_path, capsys, server):
    (tmp_path / "file").touch()
    assert cli.main(["dashboard", str(tmp_path / "file")]) == 1
    assert "expected a run directory" in capsys.readouterr().err
    assert cli.main(["dashboard", str(tmp_path), "--port", str(server.server_port)]) == 1
    assert "--port 0" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        cli.main(["dashboard", "--port", "70000"])
    assert "'70000'" in capsys.readouterr().err
