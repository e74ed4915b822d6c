"""Arguments that many commands have."""

from typing import Annotated, TypeAlias

import typer

ResponseArgument: TypeAlias = Annotated[
    str, typer.Argument(metavar="RESPONSE", help="resp_…", show_default=False)
]
ResponsesArgument: TypeAlias = Annotated[
    list[str], typer.Argument(metavar="RESPONSE...", help="resp_…", show_default=False)
]
ConversationArgument: TypeAlias = Annotated[
    str, typer.Argument(metavar="CONVERSATION", help="conv_…", show_default=False)
]
KeyArgument: TypeAlias = Annotated[
    str, typer.Argument(metavar="KEY", help="key_…, as the list has it.", show_default=False)
]
Most: TypeAlias = Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most.")]
EachAnew: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="FIELD=JSON",
        help="A field of the request: --set temperature=0; a text needs no quotes.",
        show_default=False,
    ),
]
DEFAULT_MOST = 20
