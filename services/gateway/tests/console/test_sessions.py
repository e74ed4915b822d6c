"""ConsoleSessions: what the cookie opens, and that nothing else does."""

import base64

from turnwire_gateway.console.sessions import ConsoleSessions
from turnwire_testing.memory_sessions import MemorySessions

_HOUR_MS = 3_600_000


class _Clock:
    now = 1_000

    def __call__(self) -> int:
        return self.now


async def test_the_cookie_opens_its_session_until_it_is_over() -> None:
    clock = _Clock()
    sessions = ConsoleSessions(MemorySessions(), clock, _HOUR_MS)
    cookie, session = await sessions.begin("Bearer k")

    clock.now += _HOUR_MS - 1
    assert await sessions.find(cookie) == session
    clock.now += 1
    assert await sessions.find(cookie) is None


async def test_what_is_kept_tells_nothing_without_the_cookie() -> None:
    records = MemorySessions()
    sessions = ConsoleSessions(records, _Clock(), _HOUR_MS)
    cookie, _ = await sessions.begin("Bearer a-key-of-somebody")
    ((session_id, sealed),) = records.kept.items()

    assert b"a-key-of-somebody" not in sealed
    assert cookie not in session_id
    assert await sessions.find(session_id) is None
    # Under the id of another session it opens nothing either.
    other, _ = await sessions.begin("Bearer other")
    (other_id,) = records.kept.keys() - {session_id}
    records.kept[other_id] = sealed
    assert await sessions.find(other) is None


async def test_who_has_signed_out_is_signed_out_everywhere() -> None:
    records = MemorySessions()
    cookie, _ = await ConsoleSessions(records, _Clock(), _HOUR_MS).begin("Bearer k")
    await ConsoleSessions(records, _Clock(), _HOUR_MS).end(cookie)
    assert await ConsoleSessions(records, _Clock(), _HOUR_MS).find(cookie) is None


async def test_signing_out_with_cookies_that_never_were_keeps_nothing() -> None:
    records, clock = MemorySessions(), _Clock()
    sessions = ConsoleSessions(records, clock, _HOUR_MS)
    cookie, _ = await sessions.begin("Bearer k")
    kept = dict(records.kept)
    for made_up in range(3):
        await sessions.end(base64.urlsafe_b64encode(bytes([made_up] * 32)).decode())
    clock.now += _HOUR_MS
    await sessions.end(cookie)
    assert records.kept == kept


async def test_cookies_that_never_were_are_no_sessions() -> None:
    sessions = ConsoleSessions(MemorySessions(), _Clock(), _HOUR_MS)
    unknown = base64.urlsafe_b64encode(bytes(32)).decode()
    for cookie in ("", "ü", "a", "=" * 44, "x" * 4096, unknown, unknown.rstrip("=")):
        assert await sessions.find(cookie) is None
