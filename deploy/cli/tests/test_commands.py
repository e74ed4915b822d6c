"""What commands ask a server, what they print of its answers, and what they keep to themselves."""

import json
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, cast
from zipfile import ZipFile

import pytest
from inline_snapshot import snapshot
from typer.testing import CliRunner

from turnwire_cli import contexts
from turnwire_cli.commands.deployment import without_content
from turnwire_cli.contexts import ContextFile, ServerContext
from turnwire_cli.errors import CommandFailedError, said_of
from turnwire_cli.main import command_line
from turnwire_cli.objects import difference_lines, facts, seconds_of
from turnwire_cli.times import TimeFormat, lasted, moment
from turnwire_client import RefusedError

APP = command_line()
SUMMARY = {
    "id": "resp_1", "created_at": 1764355101.299, "status": "failed", "model": "m",
    "tools": ["add"], "error_code": "backend_error", "duration_ms": 7922,
}  # fmt: skip
KEY = {
    "id": "key_1", "tenant": "acme", "user": "ada", "role": "user", "scopes": ["read"],
    "status": "active", "label": "ci", "created_at": 1, "expires_at": None,
}  # fmt: skip
NOTHING = {"equal": True, "unified": None}
SAME_END = {"equal": True, "before": {"status": "completed"}, "after": {"status": "completed"}}
DIFF: dict[str, Any] = {
    "request": [], "input": [], "output": [{"change": "same", "before": {}, "after": {}}],
    "instructions": NOTHING, "text": NOTHING, "end": SAME_END,
}  # fmt: skip


class AnsweringServer(ThreadingHTTPServer):
    """Answers by path, and remembers what it was asked."""

    answers: Mapping[str, Any] = {}

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked_for: list[tuple[str, Any]] = []
        self.keys: list[str | None] = []
        self.opened: list[tuple[str | None, str | None]] = []

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = cast("AnsweringServer", self.server)
        length = int(self.headers.get("content-length", 0))
        body = json.loads(self.rfile.read(length)) if length else None
        server.asked_for.append((f"{self.command} {self.path}", body))
        server.keys.append(self.headers.get("authorization"))
        opened = self.headers.get("x-turnwire-tenant"), self.headers.get("x-turnwire-reason")
        server.opened.append(opened)
        path = self.path.removeprefix("/v1").partition("?")[0]
        error = {"error": {"code": "unknown_url", "message": "There is no such route."}}
        found = server.answers.get(path)
        said = json.dumps(error if found is None else found).encode()
        self.send_response(404 if found is None else 200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_POST = do_DELETE = do_GET  # noqa: N815 -- as for do_GET

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- as it is called
        del format, args


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[AnsweringServer]:
    """A server that the commands ask."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with AnsweringServer() as running:
        monkeypatch.setenv("TURNWIRE_URL", running.url)
        monkeypatch.setenv("TURNWIRE_API_KEY", "k")
        Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


def page(*data: dict[str, Any]) -> dict[str, Any]:
    """Answer with a page of a list."""
    return {"object": "list", "data": [*data], "has_more": False, "last_id": "x"}


def test_filters_are_asked_of_the_server_and_rows_are_printed(server: AnsweringServer) -> None:
    server.answers = {"/responses": page(SUMMARY)}
    call = ["responses", "ls", "--status", "failed", "--code", "backend_error", "--from", "7"]
    ran = CliRunner().invoke(APP, [*call, "--no-background", "-n", "3"])
    assert ran.stdout == snapshot("""\
id      created                        status  model  took   tools  code
resp_1  2025-11-28T18:38:21.299+00:00  failed  m      7.9 s  add    backend_error
""")
    ((asked, _),) = server.asked_for
    assert asked == snapshot(
        "GET /v1/responses?status=failed&error_code=backend_error&created_from=7.0"
        "&background=false&limit=3"
    )
    again = CliRunner().invoke(APP, ["responses", "ls", "-o", "json", "--time", "raw"])
    assert json.loads(again.stdout) == [SUMMARY]


def test_a_server_that_is_too_old_is_said_to_be(server: AnsweringServer) -> None:
    for call in (
        ["responses", "ls"],
        ["approvals", "ls"],
        ["admin", "keys", "ls"],
        ["log", "tail"],
    ):
        ran = CliRunner().invoke(APP, call)
        assert ran.exit_code == 6, ran.output
        assert "This server has no GET /v1/" in ran.stderr
        assert "it needs Turnwire 0.2.0 or newer" in ran.stderr
    assert len(server.asked_for) == 4


def test_a_key_is_made_with_its_scopes_and_shown_on_the_last_line(server: AnsweringServer) -> None:
    server.answers = {"/admin/keys": {**KEY, "key": "tw_secret"}}
    call = ["admin", "keys", "create", "--tenant", "acme", "--user", "ada"]
    limits = ["--scope", "read", "--scope", "admin", "--expires", "2027-01-01T00:00"]
    ran = CliRunner().invoke(APP, [*call, *limits, "--label", "ci"])
    assert ran.stdout.splitlines()[-1] == "tw_secret"
    ((_, body),) = server.asked_for
    assert body == {
        "user": "ada", "role": "user", "tenant": "acme", "scopes": ["read", "admin"],
        "expires_at": 1798761600, "label": "ci",
    }  # fmt: skip
    server.asked_for.clear()
    plain = CliRunner().invoke(APP, call)
    assert plain.exit_code == 0, plain.output
    assert server.asked_for[0][1] == {"user": "ada", "role": "user", "tenant": "acme"}


def test_an_operator_reads_in_a_tenant_with_a_reason_or_not_at_all(server: AnsweringServer) -> None:
    server.answers = {"/responses/resp_1/timeline": {"object": "response.timeline"}}
    call = ["responses", "timeline", "resp_1"]
    opening = ["--in-tenant", "acme", "--reason", "ticket 17"]
    ran = CliRunner().invoke(APP, [*call, *opening])
    assert (ran.exit_code, server.opened) == (0, [("acme", "ticket 17")]), ran.output
    for half in (opening[:2], opening[2:], [*opening[:3], "Störung"]):
        refused = CliRunner().invoke(APP, [*call, *half])
        assert (refused.exit_code, "--reason" in refused.stderr) == (2, True)
    assert CliRunner().invoke(APP, call).exit_code == 0
    assert server.opened[1:] == [(None, None)]


def test_a_list_is_one_array_whatever_it_is_for_people(server: AnsweringServer) -> None:
    act: dict[str, Any] = {"created_at": 1, "tenant": "acme", "type": "key_created", "data": {}}
    rows = [{**act, "actor": {"user": name}} for name in ("ada", "bob")]
    server.answers = {"/admin/audit": page(*rows), "/admin/system/dead": page(*rows)}
    for call in (["admin", "audit"], ["admin", "dead", "ls"]):
        ran = CliRunner().invoke(APP, [*call, "-o", "json"])
        assert json.loads(ran.stdout) == rows, ran.output
        assert len(CliRunner().invoke(APP, call).stdout.splitlines()) == len(rows)


STRANGE = "a\x1b[2J\x9b2J\u202e\u2066\u200b\udc00\U000e0041\rb"
"""Clears a screen twice, turns words round, hides some, and cannot be written."""
FORGED = "ada\n2026-11-28T08:00:00+00:00  acme  key_revoked  key_id=key_2  by root"


@pytest.mark.parametrize("output", ["text", "json", "jsonl", "yaml"])
def test_what_strangers_say_does_nothing_to_a_terminal(
    output: str, server: AnsweringServer
) -> None:
    answer = {"id": "resp_1", "output": [{"role": "assistant", "content": STRANGE}]}
    server.answers = {
        "/responses/resp_1": answer,
        "/admin/keys": page({**KEY, "user": STRANGE, "label": "joined\u200dletters"}),
    }
    for call in (["responses", "get", "resp_1"], ["admin", "keys", "ls"]):
        ran = CliRunner().invoke(APP, [*call, "-o", output])
        assert (ran.exit_code, set(STRANGE) & set(ran.stdout)) == (0, set("ab[2J"))
    if output == "text":
        assert "joined\u200dletters" in ran.stdout
    if output == "json":
        got = CliRunner().invoke(APP, ["responses", "get", "resp_1", "-o", output])
        assert json.loads(got.stdout) == answer


def test_what_a_user_is_called_is_no_line_of_its_own(server: AnsweringServer) -> None:
    act = {
        "created_at": 1, "tenant": "acme", "type": "key_created", "data": {"user": FORGED},
        "actor": {"user": FORGED},
    }  # fmt: skip
    server.answers = {
        "/admin/audit": page(act), "/admin/keys": page({**KEY, "label": FORGED})
    }  # fmt: skip
    audit = CliRunner().invoke(APP, ["admin", "audit"])
    keys = CliRunner().invoke(APP, ["admin", "keys", "ls"])
    assert (len(audit.stdout.splitlines()), len(keys.stdout.splitlines())) == (1, 2)


def test_an_erasure_asks_first_and_can_be_tried(server: AnsweringServer) -> None:
    server.answers = {"/admin/erasures": {"object": "admin.erasure.preview", "turns": 3}}
    refused = CliRunner().invoke(
        APP, ["admin", "erase", "--tenant", "acme", "--user", "ada"], input="n\n"
    )
    assert (refused.exit_code, server.asked_for) == (1, [])
    tried = CliRunner().invoke(
        APP, ["admin", "erase", "--tenant", "acme", "--user", "ada", "--dry-run"]
    )
    assert "turns: 3" in tried.stdout
    body = {"tenant": "acme", "user": "ada", "dry_run": True}
    assert server.asked_for == [("POST /v1/admin/erasures", body)]


def test_a_status_that_only_proxies_know_is_an_error_like_others() -> None:
    report = said_of(RefusedError(520, "The web server is returning an unknown error."))
    assert report is not None
    assert report.exit_code == 1


def test_a_diff_ends_with_1_where_something_differs(server: AnsweringServer) -> None:
    server.answers = {"/responses/a/diff": DIFF}
    assert CliRunner().invoke(APP, ["responses", "diff", "a", "b"]).exit_code == 0
    assert server.asked_for == [("GET /v1/responses/a/diff?with=b", None)]
    server.answers = {
        "/responses/a/diff": DIFF | {"request": [{"field": "model", "before": "a", "after": "b"}]}
    }
    ran = CliRunner().invoke(APP, ["responses", "diff", "a", "b"])
    assert (ran.exit_code, ran.stdout) == (1, "model: a → b\n")


def test_differences_are_told_in_lines() -> None:
    item = {"type": "message", "role": "assistant", "content": [{"text": "Hi."}]}
    diff = DIFF | {
        "output": [{"change": "added", "before": None, "after": item}],
        "text": {"equal": False, "unified": "-Hello\n+Hi."},
        "end": {"equal": False, "before": {"status": "failed"}, "after": {"status": "completed"}},
    }
    assert [*difference_lines(diff)] == [
        "output added: assistant: Hi.", "-Hello", "+Hi.", "end: failed → completed"
    ]  # fmt: skip


def test_a_call_that_waits_is_denied_with_a_reason(server: AnsweringServer) -> None:
    response: dict[str, Any] = {"id": "resp_2", "status": "completed", "model": "m", "output": []}
    server.answers = {"/approvals/mcpr_1": response}
    ran = CliRunner().invoke(APP, ["approvals", "deny", "mcpr_1", "--reason", "too dear"])
    assert "resp_2  completed" in ran.stdout
    assert server.asked_for == [
        ("POST /v1/approvals/mcpr_1", {"approve": False, "reason": "too dear"})
    ]


def test_the_key_of_a_context_is_shown_to_no_other_server(
    server: AnsweringServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answers = {"/models": page({"id": "m"})}
    far = server.url.replace("127.0.0.1", "localhost")
    stored = {"far": ServerContext(far, "tw_far")}
    contexts.write(contexts.place(), ContextFile(stored, "far"))
    monkeypatch.delenv("TURNWIRE_API_KEY")
    for call in (["--url", server.url], ["--context", "far"]):
        assert CliRunner().invoke(APP, ["models", *call]).exit_code == 0
    assert server.keys == ["Bearer local", "Bearer tw_far"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30m", 8200.0),
        ("2h", 2800.0),
        ("12.5", 12.5),
        ("1970-01-01T00:01", 60.0),
        ("1970-01-01T01:00+01:00", 0.0),
    ],
)
def test_a_moment_can_be_written_in_many_ways(text: str, seconds: float) -> None:
    assert seconds_of(text, 10_000) == seconds


def test_what_is_no_moment_says_how_one_is_written() -> None:
    with pytest.raises(CommandFailedError, match="30m, 12h, 7d ago, or Unix seconds"):
        seconds_of("yesterday", 0)


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (TimeFormat.ISO, "1970-01-01T00:00:10.500+00:00"),
        (TimeFormat.RAW, "10.500"),
        (TimeFormat.RELATIVE, "2 h ago"),
    ],
)
def test_a_moment_is_printed_as_it_was_asked_for(written: TimeFormat, text: str) -> None:
    assert moment(10.5, written, lambda: 7300) == text
    assert moment(None, written, lambda: 0) == ""


def test_a_duration_is_as_exact_as_it_is_of_use() -> None:
    assert [lasted(0.0042), lasted(5.84), lasted(754)] == ["4 ms", "5.8 s", "12 min 34 s"]


def test_an_object_is_told_in_lines_without_what_is_empty() -> None:
    assert [*facts({"a": {"b": [1, {"c": "d"}]}, "e": None, "f": [], "g": False})] == [
        "a.b[0]: 1", "a.b[1].c: d", "g: False"
    ]  # fmt: skip


def test_a_bundle_keeps_sizes_and_no_content() -> None:
    found = {"id": "resp_1", "input": [1, 2], "data": [{"message": "mine", "code": "c"}]}
    assert without_content(found) == {
        "id": "resp_1", "input": "<2>", "data": [{"message": "<4>", "code": "c"}]
    }  # fmt: skip


def test_a_bundle_has_nothing_of_what_a_tool_said(server: AnsweringServer, tmp_path: Path) -> None:
    said = {"type": "mcp_tool_execution_error", "content": [{"type": "text", "text": "mine!"}]}
    returned = {
        "object": "response.event", "sequence": 7, "type": "tool_returned", "cause": "req_1",
        "data": {"item_id": "mcp_1", "error": said, "of_a_newer_server": "mine!"},
    }  # fmt: skip
    server.answers = {"/responses/resp_1/events": page(returned)}
    file = tmp_path / "bundle.zip"
    ran = CliRunner().invoke(APP, ["bundle", "--to", str(file), "-r", "resp_1"])
    assert ran.exit_code == 0, ran.output
    with ZipFile(file) as archive:
        (told,) = json.loads(archive.read("log-resp_1.json"))
        assert b"mine!" not in b"".join(map(archive.read, archive.namelist()))
    assert told["data"]["error"]["type"] == "mcp_tool_execution_error"
    assert told["data"]["error"]["content"] == [{"type": "text", "text": "<5>"}]
