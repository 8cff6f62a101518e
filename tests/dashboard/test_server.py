"""The server answers GET for what it knows, to whoever calls it by its own name."""

import gzip
import http.client
import json
import re
import threading
from contextlib import closing

import pytest
from run_files import RunFiles

from xorjax import cli
from xorjax.dashboard.server import PAGES, DashboardServer
from xorjax.dashboard.watch import Watcher


@pytest.fixture
def files(tmp_path):
    return RunFiles(tmp_path / "runs", 8)


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


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_served_once_and_then_not_modified(ask, path):
    status, headers, content = ask(path)
    assert status == 200
    assert len(content) > 300
    assert headers["Content-Type"] == PAGES[path][2]
    status, headers, packed = ask(path, Accept_Encoding="gzip")
    assert headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed) == content
    status, _, nothing = ask(path, If_None_Match=f'"x", W/{headers["ETag"]}')
    assert (status, nothing) == (304, b"")


def test_the_state_is_told_once_and_then_when_it_changed(ask, files):
    files.plan()
    status, headers, content = ask("/state.json?experiment=sweep")
    assert status == 200
    assert json.loads(content)["experiment"]["counts"] == {"waiting": 8}
    assert headers["ETag"] == f'"{json.loads(content)["token"]}"'
    tag = headers["ETag"]
    assert ask("/state.json?experiment=sweep", If_None_Match=tag)[0] == 304
    files.fail_point(1, "no")
    status, headers, content = ask("/state.json?experiment=sweep", If_None_Match=tag)
    assert (status, headers["ETag"] == tag) == (200, False)
    assert [point["id"] for point in json.loads(content)["experiment"]["points"]] == [files.points[1]]
    _, headers, packed = ask("/state.json?experiment=sweep", Accept_Encoding="gzip")
    assert headers["Content-Encoding"] == "gzip"
    assert json.loads(gzip.decompress(packed))["experiment"]["counts"] == {"waiting": 7, "failed": 1}


@pytest.mark.parametrize("name", ["other", "..", "../..", "%2e%2e", "/etc", "%00", "sweep/../sweep"])
def test_an_unknown_experiment_is_none(ask, files, name):
    files.plan()
    status, _, content = ask(f"/state.json?experiment={name}")
    assert status == 200
    assert json.loads(content)["experiment"] is None


@pytest.mark.parametrize(
    "path",
    [
        "/stages.jsonl",
        "/runs/reports/sweep/plan.json",
        "/../page.py",
        "/..%2f..%2fetc/passwd",
        "//etc/passwd",
        "/page.css/",
        "/server.py",
        "/favicon.ico",
        "/state.json/x",
    ],
)
def test_nothing_else_is_served(ask, files, path):
    files.plan()
    files.make_shared()
    assert ask(path)[0] == 404


def test_an_address_that_is_none_is_refused(ask):
    assert ask("http://[", Host="localhost")[0] == 400
    assert ask("/state.json?" + "&".join(f"a{i}=1" for i in range(20)))[0] == 400


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_only_get_is_answered(ask, method):
    status, headers, _ = ask("/", method)
    assert (status, headers["Allow"]) == (405, "GET")
    assert ask("/", "BREW")[0] == 501


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8765",
        "10.0.0.1",
        "127.0.0.1.evil.example",
        "[",
        "",
        "localhost@evil",
        "evil@localhost",
    ],
)
def test_a_foreign_name_is_refused(ask, host):
    for path in ("/", "/state.json"):
        assert ask(path, Host=host)[0] == 403


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:9", "[::1]:7"])
def test_its_own_names_are_answered_whatever_the_port(ask, host):
    assert ask("/", Host=host)[0] == 200


def test_who_serves_beyond_this_machine_is_asked_by_address(files):
    with DashboardServer(Watcher(files.runs), "0.0.0.0", 0) as server:
        assert server.knows("10.1.2.3:8765")
        assert server.knows("localhost")
        assert not server.knows("evil.example")


def test_every_answer_has_the_headers_that_fence_the_page(ask):
    for path in ("/", "/state.json", "/nothing", "/plotly.js"):
        _, headers, _ = ask(path)
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'; script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Access-Control-Allow-Origin" not in headers


def test_the_page_asks_for_nothing_but_what_is_served(ask):
    _, _, page = ask("/")
    asked = set(re.findall(r'(?:src|href)="([^"#]+)"', page.decode())) - {"data:,"}
    for path in PAGES:
        if path not in ("/plotly.js", "/page.css"):
            asked |= set(re.findall(r'from "([^"]+)"', ask(path)[2].decode()))
    assert asked == set(PAGES) - {"/"}


def test_no_script_writes_html(ask):
    for path in PAGES:
        if path.endswith(".js") and path != "/plotly.js":
            script = ask(path)[2].decode()
            assert not [
                word for word in ("innerHTML", "outerHTML", "insertAdjacent", "eval(") if word in script
            ]


def test_the_command_refuses_what_it_cannot_serve(tmp_path, capsys, server):
    (tmp_path / "file").touch()
    assert cli.main(["dashboard", str(tmp_path / "file")]) == 1
    assert "expected a run directory" in capsys.readouterr().err
    assert cli.main(["dashboard", str(tmp_path), "--port", str(server.server_port)]) == 1
    assert "--port 0" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        cli.main(["dashboard", "--port", "70000"])
    assert stop.value.code == 2
    assert "argument --port: invalid port value: '70000'" in capsys.readouterr().err
