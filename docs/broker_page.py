"""The tables in `docs/broker.md`: who may say and hear what, from the rights themselves.

The prose around them is kept as it is.
"""

from pathlib import Path

from marked_part import with_part
from source import Row, code, table

from turnwire_chassis.broker_authorization.rights import RIGHTS, Rights, User, subscriptions_of

_PAGE = Path(__file__).parent / "broker.md"


def broker_page() -> str:
    """Write the whole page."""
    tables = "\n\n".join(f"### {user}\n\n{_rights(user, RIGHTS[user])}" for user in User)
    return with_part(_PAGE, "the table of rights", tables)


def _rights(user: User, rights: Rights) -> str:
    within = rights.answers_within_s
    rows: list[Row] = [
        ("publish", _subjects(rights.publish)),
        ("but not", _subjects(rights.never_publish)),
        ("subscribe", _subjects(subscriptions_of(user))),
        ("answers", f"each question once, within {within // 60} minutes" if within else ""),
    ]
    return table(("", ""), [row for row in rows if row[1]])


def _subjects(subjects: tuple[str, ...]) -> str:
    return ", ".join(map(code, subjects))
