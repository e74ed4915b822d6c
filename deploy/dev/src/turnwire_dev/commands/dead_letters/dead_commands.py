"""`turnwire dead …`: dead letters, as they can be called."""

from typing import Annotated

import typer

from turnwire_cli.printing import Output
from turnwire_dev.command_options import OutputOption, declared, screen_of

Letters = Annotated[
    list[int] | None, typer.Argument(metavar="LETTER...", help="Numbers, as the list has them.")
]


def commands() -> typer.Typer:
    """Give the group with its commands."""
    group = typer.Typer(
        name="dead",
        help="List, retry and drop dead letters: entries of the log without effect on the views.",
        no_args_is_help=True,
    )
    declared(group, "list")(list_dead)
    declared(group, "show")(show_dead)
    declared(group, "retry")(retry_dead)
    declared(group, "drop")(drop_dead)
    return group


def list_dead(*, output: OutputOption = Output.TEXT) -> None:
    """List all dead letters: when, which entry of the log, and why it has no effect."""
    from turnwire_dev.commands.dead_letters import show  # noqa: PLC0415 -- as for `turnwire up`

    show.list_letters(screen_of(output))


def show_dead(
    letter: Annotated[int, typer.Argument(help="Its number, as the list has it.")],
    *,
    content: Annotated[
        bool, typer.Option("--content", help="Also what the entry says; users may have said it.")
    ] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show one dead letter and the entry that it is about."""
    from turnwire_dev.commands.dead_letters import show  # noqa: PLC0415 -- as for `turnwire up`

    show.show_letter(letter, screen_of(output), content=content)


def retry_dead(
    letters: Letters = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="All dead letters.")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Have entries projected and delivered again, and mark their letters as retried."""
    from turnwire_dev.commands.dead_letters import retry  # noqa: PLC0415 -- as for `turnwire up`

    retry.retry_letters(_chosen(letters, every=every), screen_of(output))


def drop_dead(
    letters: Letters = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="All dead letters.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask again.")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Remove dead letters; the entries that they are about stay in the log."""
    from turnwire_dev.commands.dead_letters import retry  # noqa: PLC0415 -- as for `turnwire up`

    retry.drop_letters(_chosen(letters, every=every), screen_of(output), yes=yes)


def _chosen(letters: list[int] | None, *, every: bool) -> list[int]:
    """Give the letters that were named; none with `--all`."""
    if bool(letters) is every:
        raise typer.BadParameter("name letters by their numbers, or say --all")
    return letters or []
