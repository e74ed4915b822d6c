"""How commands are declared: with the options that all have, and errors said in one way."""

import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NoReturn

import typer

from turnwire_cli import contexts
from turnwire_cli.errors import CommandFailedError, said_of
from turnwire_cli.exit_codes import BAD_INPUT, FAILED, INTERRUPTED
from turnwire_cli.printing import Output, Printer, may_color
from turnwire_cli.times import TimeFormat

if TYPE_CHECKING:
    from turnwire_client import Turnwire

CONTEXT: Final = "TURNWIRE_CONTEXT"
_OFF: Final = False


def option(name: str, kind: object, default: object, *names: str, help_: str) -> inspect.Parameter:
    """Declare an option that commands share; `names` where they are not `--<name>`."""
    said = typer.Option(*names, help=help_, show_default=False)
    annotation = Annotated[kind, said]
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )


_OUTPUT: Final = (
    option(
        "output", Output, Output.TEXT, "--output", "-o", help_="What is printed: text for people."
    ),
    option("time", TimeFormat, TimeFormat.ISO, "--time", help_="How moments are written."),
    option("no_color", bool, _OFF, "--no-color", help_="No colors; NO_COLOR says the same."),
    option("quiet", bool, _OFF, "--quiet", "-q", help_="Results only, no remarks."),
)
_SERVER: Final = (
    option("url", str | None, None, "--url", help_="The server; TURNWIRE_URL; with /v1."),
    option("api_key", str | None, None, "--api-key", help_="Who calls; TURNWIRE_API_KEY."),
    option("context", str | None, None, "--context", help_="A server by name; TURNWIRE_CONTEXT."),
)
_OPENING: Final = (
    option(
        "in_tenant", str | None, None, help_="Operators: read in this tenant, as its admins do."
    ),
    option("reason", str | None, None, help_="Operators: why; it is noted in that tenant."),
)
_OF_SERVER: Final = {"asked": _SERVER, "read": (*_OPENING, *_SERVER), "none": ()}
"""By what a command does with a server: the options that say which, and as whom."""


@dataclass(frozen=True)
class Call:
    """One command as it was called: who prints, and the server that it asks."""

    printer: Printer
    server: Mapping[str, str | None]
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The values of options that commands share, those that were given."""

    @cached_property
    def context(self) -> contexts.ServerContext:
        """The server: of the command line, else the environment, else of a context."""
        named = self.server.get("context") or os.environ.get(CONTEXT)
        url, key = self._said("url", "TURNWIRE_URL"), self._said("api_key", "TURNWIRE_API_KEY")
        file = contexts.read(contexts.place())
        name = named or ("" if url else file.current)
        chosen = file.get(name) if name else contexts.ServerContext("")
        if named:
            url, key = self.server.get("url"), self.server.get("api_key")
        # The key of a context is not shown to another server.
        known_key = chosen.api_key if not url or url == chosen.url else ""
        return contexts.ServerContext(url or chosen.url, key or known_key)

    @cached_property
    def client(self) -> "Turnwire":
        """The client library, connected as the command line says: `turnwire_client.Turnwire`."""
        # Loads the HTTP client, which `--help` does not need.
        from turnwire_client import TenantOpening, Turnwire  # noqa: PLC0415 -- see above

        opened, reason = self.server.get("in_tenant"), self.server.get("reason")
        if (opened is None) is not (reason is None):
            self.fail("--in-tenant and --reason go together: where to read, and why.", BAD_INPUT)
        if not f"{opened}{reason}".isascii():
            self.fail("--in-tenant, --reason: letters, digits and signs of ASCII only.", BAD_INPUT)
        return Turnwire(
            self.context.url or None,
            self.context.api_key or None,
            retry_s=0,
            opening=TenantOpening(opened, reason) if opened and reason else None,
        )

    def _said(self, name: str, variable: str) -> str:
        return self.server.get(name) or os.environ.get(variable) or ""

    def fail(self, message: str, code: int = FAILED) -> NoReturn:
        """End the command with an error and its exit code."""
        raise CommandFailedError(message, code)


def declared(
    app: typer.Typer,
    name: str,
    *,
    panel: str | None = None,
    options: Sequence[inspect.Parameter] = (),
    server: Literal["asked", "read", "none"] = "asked",
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Declare a command: a function of a `Call` and what typer reads of its other parameters.

    `options`: those that it shares with others; `Call.options` has their values. `server`: whether
    it asks one, and so has the options that name it, or only reads there, as operators may.
    """
    shared = [each.name for each in options]
    of_server = _OF_SERVER[server]
    common = (*of_server, *_OUTPUT)

    def declare(run: Callable[..., None]) -> Callable[..., None]:
        @wraps(run)
        def called(**given: Any) -> None:
            named = {each.name: given.pop(each.name) for each in of_server}
            printer = Printer(
                given.pop("output"),
                given.pop("time"),
                colored=may_color(refused=given.pop("no_color")),
                quiet=given.pop("quiet"),
            )
            values = {each: given.pop(each) for each in shared}
            chosen = {each: value for each, value in values.items() if value is not None}
            _run(run, Call(printer, named, chosen), given)

        signature = inspect.signature(run)
        own = [*signature.parameters.values()][1:]
        parameters = sorted([*own, *options, *common], key=lambda each: each.kind)
        called.__signature__ = signature.replace(parameters=parameters)  # pyright: ignore[reportAttributeAccessIssue]
        called.__annotations__ = {each.name: each.annotation for each in parameters}
        app.command(name, rich_help_panel=panel)(called)
        return run

    return declare


def _run(run: Callable[..., None], call: Call, given: Mapping[str, Any]) -> None:
    """Run a command; an error is said in one way, and has its exit code."""
    try:
        run(call, **given)
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        raise typer.Exit(INTERRUPTED) from None
    except Exception as error:
        said = said_of(error)
        if said is None:
            raise
        call.printer.problem(said.message, **said.facts)
        for line in said.hints if call.printer.is_text else ():
            call.printer.remark(line)
        raise typer.Exit(said.exit_code) from error
