"""What the commands of this package have in common: `-o`, and settings that cannot be."""

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any

import typer

from turnwire_cli.exit_codes import BAD_INPUT
from turnwire_cli.printing import Output

if TYPE_CHECKING:
    from turnwire_dev.screen import Screen

OutputOption = Annotated[
    Output,
    typer.Option(
        "--output", "-o", help="text for people; json, jsonl: an object a line; yaml: documents."
    ),
]


def screen_of(output: Output) -> "Screen":
    """Give what a command writes to."""
    # Loads what draws on terminals, which `--help` does not need.
    from turnwire_dev.output import JsonScreen, YamlScreen  # noqa: PLC0415 -- see above
    from turnwire_dev.screen import Screen  # noqa: PLC0415 -- as above

    if output is Output.TEXT:
        return Screen()
    return YamlScreen() if output is Output.YAML else JsonScreen()


def declared(
    app: typer.Typer, name: str, panel: str | None = None
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Declare a command; a setting that cannot be ends it with exit code 2, as in the services."""

    def declare(run: Callable[..., None]) -> Callable[..., None]:
        @wraps(run)
        def called(**given: Any) -> None:
            try:
                run(**given)
            except Exception as error:
                # Loads pydantic, as the commands do that read settings.
                from turnwire_chassis.settings import SettingsError  # noqa: PLC0415 -- see above
                from turnwire_dev.screen import Screen  # noqa: PLC0415 -- as above

                if not isinstance(error, SettingsError):
                    raise
                Screen.of_errors().problem(str(error))
                raise typer.Exit(BAD_INPUT) from error

        app.command(name, rich_help_panel=panel)(called)
        return run

    return declare
