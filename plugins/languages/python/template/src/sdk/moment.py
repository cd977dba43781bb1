"""Moments, in nanoseconds since 1970-01-01T00:00:00Z."""

import time
from datetime import UTC, datetime


def now_ns() -> int:
    return time.time_ns()


def rfc3339(ns: int) -> str:
    """Writes a moment as events carry it, to the microsecond: `2026-11-22T05:15:34.031376Z`."""
    seconds, rest = divmod(ns, 10**9)
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest // 1000:06d}Z"
