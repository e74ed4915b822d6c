"""`docs/cli.md`: every command of `turnwire` with its options, from the commands themselves."""

import typer
from source import code, table
from typer.cli import get_docs_for_click

from turnwire_cli.exit_codes import EXIT_CODES
from turnwire_cli.main import command_line

_HEAD = """\
# Command line

Written by `docs/generate.py` from the commands; do not edit it here.

`turnwire` is a client first: it needs an address and a key. They are those of the command line
(`--url`, `--api-key`), else of `TURNWIRE_URL` and `TURNWIRE_API_KEY`, else of the context that is
used; without any, a Turnwire on this machine. `turnwire context add` names a server and its key
in a file that only its owner can read; `--context` or `TURNWIRE_CONTEXT` chooses another one for
a command. A key on the command line can be seen by other users of the machine; `context add
--api-key -` reads it from standard input. The commands for a machine that runs Turnwire, or sees
its broker, are a group of their own.

```bash
turnwire ask 'Say hello in one sentence.'
turnwire models -o jsonl
turnwire explain context_length_exceeded
```

An operator reads in any tenant, with a reason that is noted in its audit log
([identity.md](identity.md#operators)); every command that only reads responses or conversations has
`--in-tenant` and `--reason`: `turnwire log resp_… --in-tenant acme --reason 'ticket 17'`.

`-o` says how a command prints what it has to say. The names of members are a promise: they stay,
and new ones may come.

| `-o` | an object | a list | what goes on (`log -f`, `up`) |
| --- | --- | --- | --- |
| `text` | for people | a table | lines |
| `json` | one document | one array | an object a line |
| `jsonl` | a line | an object a line | an object a line |
| `yaml` | one document | one list | a document each |

The commands of the last group write an object a line for `json`, too. Results go to standard
output; remarks and errors, an object with `-o json`, to standard error. Colors are for terminals,
and not where `NO_COLOR` is set. `turnwire --install-completion` completes commands and options in
bash, zsh and fish.

`turnwire mcp` gives the read side of the API to an agent, as an MCP server on standard input and
output: list responses, read one, the story of its turn, its events, state, timeline and prompt,
compare two, explain an error. Nothing of it changes anything. For an agent that reads a file of
servers:

```json
{"mcpServers": {"turnwire": {"command": "turnwire", "args": ["mcp", "--context", "production"]}}}
```
"""


def cli_page() -> str:
    """Write the whole page."""
    command = typer.main.get_command(command_line())
    docs = get_docs_for_click(obj=command, ctx=typer.Context(command), name="turnwire")
    codes = table(
        ("exit code", "means"), [(code(str(number)), what) for number, what in EXIT_CODES]
    )
    body = "\n".join(line.rstrip() for line in docs.splitlines()[1:])
    return f"{_HEAD}\n{codes}\n{body}\n"
