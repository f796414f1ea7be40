"""Times as text, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime

RFC3339 = "%Y-%m-%dT%H:%M:%SZ"


def utc_text(seconds: int, form: str = RFC3339) -> str:
    """Return a time, in Unix seconds, as text of a form of `datetime.strftime`."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime(form)
    except (OSError, OverflowError, ValueError):  # after the year 9999
        return f"{seconds} seconds after 1970"


def utc_seconds(text: str) -> int:
    """Return a time of the form `RFC3339` in Unix seconds.

    Raises:
        ValueError: it has another form, or there is no such time.
    """
    return int(datetime.strptime(text, RFC3339).replace(tzinfo=UTC).timestamp())
