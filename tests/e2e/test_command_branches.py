"""The `turnwire` command where it stands on routes of its own: forks, reruns, admin."""

from e2e.rig.command import Command, answered
from scripted_backend import ScriptedBackend, says


async def test_a_response_is_forked_run_again_and_compared(
    turnwire: Command, backend: ScriptedBackend
) -> None:
    response_id = await answered(turnwire, backend, "Red.")
    backend.script(says("Blue."), says("Red."))
    forked = await turnwire("responses", "fork", response_id, "--input", "Other?", "-o", "json")
    assert forked.json["forked_from"]["response_id"] == response_id, forked.err
    same = await turnwire("responses", "rerun", response_id)
    assert (same.code, same.out) == (0, "Red.\n")
    rerun_id = same.err.split()[0]
    equal = await turnwire("responses", "diff", response_id, rerun_id)
    assert (equal.code, equal.out) == (0, "both say the same\n")
    other = await turnwire("responses", "diff", response_id, forked.json["id"])
    assert other.code == 1
    assert "+Blue." in other.out


async def test_an_admin_makes_and_revokes_keys_and_reads_the_audit(turnwire: Command) -> None:
    made = await turnwire("admin", "keys", "create", "--user", "ci", "--label", "nightly")
    assert made.code == 0, made.err
    key_id, secret = made.out.split()[0], made.out.splitlines()[-1]
    assert (await turnwire("conversations", "ls", TURNWIRE_API_KEY=secret)).code == 0
    listed = await turnwire("admin", "keys", "ls", "--user", "ci")
    assert (key_id in listed.out, secret in listed.out) == (True, False)
    url = "https://hooks.example/hidden"
    told = await turnwire("admin", "webhooks", "set", key_id, url, "--event", "response.failed")
    assert told.out.splitlines()[-1].startswith("whsec_"), told.err
    shown = await turnwire("admin", "webhooks", "show", key_id)
    assert "response.failed" in shown.out
    assert [each for each in ("hidden", "whsec_") if each in shown.out] == []
    rotated = await turnwire("admin", "webhooks", "rotate", key_id, "--keep-old")
    assert rotated.out.splitlines()[-1] not in {told.out.splitlines()[-1], ""}
    assert (await turnwire("admin", "webhooks", "rm", key_id)).code == 0
    assert "webhook_not_found" in (await turnwire("admin", "webhooks", "show", key_id)).err
    assert (await turnwire("admin", "keys", "rm", key_id)).code == 0
    audit = await turnwire("admin", "audit", "-n", "5", "--type", "key_created")
    assert key_id in audit.out
    preview = await turnwire(
        "admin", "erase", "--tenant", "local", "--user", "ci", "--dry-run", "-o", "json"
    )
    assert preview.code == 0, preview.err
    assert preview.json["turns"] == 0
    assert "requests_in_last_minute" in (await turnwire("admin", "limits")).out
    refused = await turnwire("admin", "system")
    assert (refused.code, "operator_required" in refused.err) == (4, True)
