"""`turnwire ask` and `turnwire chat`: a model, asked."""

import sys
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final

import typer

from turnwire_cli.calling import Call, declared, option
from turnwire_cli.commands.ids import EachAnew
from turnwire_cli.exit_codes import BAD_INPUT, FAILED
from turnwire_cli.objects import changed_fields
from turnwire_cli.panels import ASK
from turnwire_cli.printing import JSON, Output, in_one_line

_ABOUT: Final = (
    option(
        "model",
        str | None,
        None,
        "--model",
        "-m",
        help_="The model; the first that is served if not said.",
    ),
    option("after", str | None, None, "--after", help_="The response that it continues: resp_…."),
    option("conversation", str | None, None, help_="The conversation that it is part of: conv_…."),
    option("instructions", str | None, None, help_="What the model is told beforehand."),
)
_ENDS_CHAT: Final = {"/exit", "/quit"}


def declare(app: typer.Typer) -> None:
    """Add the commands."""
    declared(app, "ask", panel=ASK, options=_ABOUT)(ask)
    declared(app, "chat", panel=ASK, options=_ABOUT)(chat)


def ask(
    call: Call,
    prompt: Annotated[
        str, typer.Argument(help="What is asked; - reads standard input.", show_default=False)
    ],
    *,
    background: Annotated[
        bool, typer.Option("--background", help="Give the id at once; `responses watch` goes on.")
    ] = False,
    fields: EachAnew = None,
) -> None:
    """Ask a model, and print its answer as it comes; a broken stream is taken up again."""
    text = sys.stdin.read() if prompt == "-" else prompt
    changed = changed_fields(fields)
    body = {**_request(call, text), **changed}
    if background:
        created = call.client.responses.create({**body, "background": True})
        call.printer.one(created, lambda: [created["id"]])
        return
    end(call, streamed(call, call.client.responses.stream(body)))


def chat(call: Call) -> None:
    """Talk with a model line by line; each turn continues the one before. ^D or /exit ends it."""
    if not call.printer.is_text and call.printer.output is not Output.JSONL:
        call.fail("chat prints text, or with -o jsonl the events of each answer.", BAD_INPUT)
    body = _request(call, "")
    call.printer.remark(f"{body['model']} at {call.client.url}; ^D or /exit ends it.")
    while (line := _line()) is not None:
        if not line:
            continue
        response = streamed(call, call.client.responses.stream({**body, "input": line}))
        _outcome(call, response)
        if "conversation" not in body and response.get("status") in {"completed", "incomplete"}:
            body["previous_response_id"] = response["id"]


def streamed(call: Call, events: Iterable[JSON]) -> JSON:
    """Print a stream as it comes: its text, or with `-o jsonl` its events; gives its response."""
    response: JSON = {}
    written = ""
    for event in events:
        if call.printer.output is Output.JSONL:
            call.printer.one(event, list)
        response = event.get("response", response)
        if call.printer.is_text and event["type"].endswith("_text.delta"):
            if event["type"] == "response.output_text.delta":
                written = event["delta"]
                call.printer.text(written)
        elif call.printer.is_text and event["type"] == "response.output_item.done":
            written = _end_line(call, written)
            _call_of(call, event["item"])
    _end_line(call, written)
    return response


def end(call: Call, response: JSON) -> None:
    """Print what a stream came to, where its text was not all; exit code 1 if it has failed."""
    if call.printer.output in {Output.JSON, Output.YAML}:
        call.printer.one(response, list)
    _outcome(call, response)
    if response.get("status") in {"failed", "cancelled"}:
        raise typer.Exit(FAILED)


def _outcome(call: Call, response: JSON) -> None:
    printer = call.printer
    if not printer.is_text:
        return
    error: JSON = response.get("error") or {}
    cut: JSON = response.get("incomplete_details") or {}
    if error:
        printer.problem(f"{error.get('message')} ({error.get('code')})")
    if cut:
        printer.remark(f"The answer is incomplete: {cut.get('reason')}.")
    printer.remark(f"{response.get('id')}  {response.get('status')}")


def _call_of(call: Call, item: JSON) -> None:
    """Tell people of a tool that was called."""
    if item.get("type") in {"function_call", "mcp_call", "mcp_approval_request"}:
        said = f"[{item['type']}: {item.get('name')} {item.get('arguments') or ''}]"
        call.printer.remark(in_one_line(said))


def _end_line(call: Call, written: str) -> str:
    if written and not written.endswith("\n"):
        call.printer.text("\n")
    return ""


def _request(call: Call, text: str) -> JSON:
    said: Mapping[str, Any] = call.options
    names = {"after": "previous_response_id"}
    body: JSON = {names.get(name, name): value for name, value in said.items()}
    if "model" not in body:
        models = call.client.models()
        if not models:
            call.fail("No backend serves a model now; name one with --model.", FAILED)
        body["model"] = models[0]["id"]
    return {**body, "input": text}


def _line() -> str | None:
    """Read a line; `None`: there is no other."""
    if sys.stdin.isatty():
        sys.stderr.write("> ")
        sys.stderr.flush()
    line = sys.stdin.readline()
    return None if not line or line.strip() in _ENDS_CHAT else line.strip()
