"""Manifests as a host has seen them, made up field by field, and a database that has them."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

from verifier.host.settings import Settings, WatchedExchange
from verifier.host.store import Audited, Outcome, Store

DAY = 86_400
NOW = 1_800_000_000
KEY = b"k" * 32
EXCHANGE = WatchedExchange("An Exchange", "http://a", "", KEY, 2 * DAY)

_NUMBERS = count(1)


def digest(name: str) -> bytes:
    return name.encode().ljust(32, b".")


def seen(
    name: str, *, follows: str = "", time: int = NOW - DAY, at: int | None = None, **fields: object
) -> Outcome:
    """A manifest that was accepted, seen at its own time unless told otherwise."""
    values: dict[str, object] = {
        "digest": digest(f"{name}{next(_NUMBERS)}" if "digest" not in fields else ""),
        "public_key": KEY,
        "exchange": "An Exchange",
        "snapshot_id": name,
        "previous": digest(follows) if follows else bytes(32),
        "time": time,
        "seen": time if at is None else at,
        "served": (time if at is None else at) if fields.get("own", True) else 0,
        "url": "http://a",
        "own": True,
        "audited": time,
        "found": time,
        "code": "",
        "place": "",
        "details": {"assets": [], "chains": [], "old_keys": []},
        **fields,
    }
    return Outcome(**values)  # type: ignore[arg-type]


def named(name: str, **fields: object) -> Outcome:
    """The same, with a digest that another may name."""
    return seen(name, digest=digest(name), **fields)  # type: ignore[arg-type]


def holding(*assets: tuple[str, str, int, int], **more: object) -> dict[str, Any]:
    """The details of a manifest with some assets: code, level, and ratio."""
    return {"assets": list(map(list, assets)), "chains": [], "old_keys": [], **more}


def keep(store: Store, item: Outcome) -> None:
    """Have a host's database keep a manifest."""
    data: dict[str, Any] = {"manifest": b"m", "signature": b"s", "attestation": b"a"}
    store.add_snapshot(Audited(**vars(item), **data, attestation_signature=b"t"))


def settings(*exchanges: WatchedExchange, **more: Any) -> Settings:
    """The settings of a host that watches some exchanges."""
    return Settings("A", Path(), Path(), exchanges, every_seconds=300, **more)
