"""URLs of MongoDB for tests: one server, a database for each test."""

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit


def with_database(url: str, name: str) -> str:
    """Name another database in a URL; who logs in is still looked up where it was."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    if "@" in parts.netloc:
        options.setdefault("authSource", parts.path.strip("/") or "admin")
    return urlunsplit(parts._replace(path=f"/{name}", query=urlencode(options)))
