"""The rights as nats-server reads them: pure text, for the embedded broker and for others."""

import json
from collections.abc import Iterable, Mapping

from turnwire_chassis.broker_authorization.rights import RIGHTS, User, subscriptions_of


def authorization(public_keys: Mapping[User, str]) -> str:
    """Write the block `authorization` for users that are known by these nkeys; no secret is in it.

    Users without a key get no entry, and so no connection.
    """
    users = "\n".join(_user(user, public_keys[user]) for user in User if user in public_keys)
    return f"authorization {{\n  users: [\n{users}\n  ]\n}}\n"


def _user(user: User, public_key: str) -> str:
    rights = RIGHTS[user]
    publish = [f"allow: {_listed(rights.publish)}"]
    if rights.never_publish:
        publish.append(f"deny: {_listed(rights.never_publish)}")
    lines = [
        f"    # {user}",
        "    {",
        f"      nkey: {public_key}",
        "      permissions: {",
        f"        publish: {{ {', '.join(publish)} }}",
        f"        subscribe: {{ allow: {_listed(subscriptions_of(user))} }}",
    ]
    if rights.answers_within_s:
        lines.append(
            f'        allow_responses: {{ max: 1, expires: "{rights.answers_within_s}s" }}'
        )
    return "\n".join([*lines, "      }", "    }"])


def _listed(subjects: Iterable[str]) -> str:
    # An empty list would allow everything; this subject is never used.
    quoted = [f"          {json.dumps(subject)}" for subject in subjects] or ['          "nothing"']
    return "[\n{}\n        ]".format("\n".join(quoted))
