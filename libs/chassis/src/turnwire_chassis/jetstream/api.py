"""The subjects of the broker's own API that are used: what is asked of streams and consumers.

They are ordinary subjects, so who may do what to a stream is said by who may publish to them.
"""

_API = "$JS.API"


def create_stream(stream: str) -> str:
    """Make a stream; one that is there with the same configuration is left as it is."""
    return f"{_API}.STREAM.CREATE.{stream}"


def update_stream(stream: str) -> str:
    """Change the configuration of a stream."""
    return f"{_API}.STREAM.UPDATE.{stream}"


def stream_info(stream: str) -> str:
    """Ask for the configuration and the state of a stream."""
    return f"{_API}.STREAM.INFO.{stream}"


def purge(stream: str) -> str:
    """Remove messages of a stream by their subject."""
    return f"{_API}.STREAM.PURGE.{stream}"


def erase_message(stream: str) -> str:
    """Overwrite and remove one message of a stream."""
    return f"{_API}.STREAM.MSG.DELETE.{stream}"


def direct_get(stream: str) -> str:
    """Read messages of a stream, by the subjects that the question names."""
    return f"{_API}.DIRECT.GET.{stream}"


def direct_get_last(stream: str, subject: str) -> str:
    """Read the last message of one subject of a stream, and no other."""
    return f"{_API}.DIRECT.GET.{stream}.{subject}"


def message_at_leader(stream: str) -> str:
    """Read one message of a stream, or the next of a subject; in a cluster its leader answers."""
    return f"{_API}.STREAM.MSG.GET.{stream}"


def create_consumer(stream: str, consumer: str, only: str = "") -> str:
    """Make or change a consumer; the broker sees to it that it hears `only` that subject."""
    place = f"{_API}.CONSUMER.CREATE.{stream}.{consumer}"
    return f"{place}.{only}" if only else place


def delete_consumer(stream: str, consumer: str) -> str:
    """Forget a consumer."""
    return f"{_API}.CONSUMER.DELETE.{stream}.{consumer}"


def consumer_info(stream: str, consumer: str) -> str:
    """Ask for the configuration and the state of a consumer."""
    return f"{_API}.CONSUMER.INFO.{stream}.{consumer}"


def next_messages(stream: str, consumer: str) -> str:
    """Pull from a consumer."""
    return f"{_API}.CONSUMER.MSG.NEXT.{stream}.{consumer}"


def acknowledgements(stream: str, consumer: str) -> str:
    """Confirm, give back or keep what a consumer delivered; the last words name the message."""
    return f"$JS.ACK.{stream}.{consumer}.>"


def snapshot(stream: str) -> str:
    """Have a stream sent as it is on the disk, with its consumers; it goes on meanwhile."""
    return f"{_API}.STREAM.SNAPSHOT.{stream}"


def snapshot_acknowledgements(stream: str) -> str:
    """Say that a part of a snapshot has arrived; the last word names the snapshot."""
    return f"$JS.SNAPSHOT.ACK.{stream}.*"


def restore(stream: str) -> str:
    """Make a stream, which must not be there, from a snapshot."""
    return f"{_API}.STREAM.RESTORE.{stream}"


def restore_parts(stream: str) -> str:
    """Send a part of the snapshot that a stream is made from; the last word names the act."""
    return f"$JS.SNAPSHOT.RESTORE.{stream}.*"


def delete_stream(stream: str) -> str:
    """Remove a stream with all that it has."""
    return f"{_API}.STREAM.DELETE.{stream}"
