"""The whole log on JetStream, read by direct gets: no consumer is made for it."""

from collections.abc import AsyncIterator

from nats.aio.client import Client

from turnwire_chassis.jetstream.reading import page, sequence_of, subject_of_message
from turnwire_contracts import subjects
from turnwire_store.feed import FeedEntry

_EVERYTHING = ">"
_ON_A_PAGE = 200


class JetStreamWholeLog:
    """`WholeLog` on the stream `TURNS`."""

    def __init__(self, client: Client) -> None:
        """The streams of `client` must be declared."""
        self._client = client

    async def pages(self, after: int) -> AsyncIterator[list[FeedEntry]]:
        """See `WholeLog.pages`."""
        stream = subjects.TURNS_STREAM
        while messages := await page(self._client, stream, _EVERYTHING, after, _ON_A_PAGE):
            after = sequence_of(messages[-1])
            yield [
                FeedEntry(subject_of_message(one), one.data, sequence_of(one)) for one in messages
            ]
