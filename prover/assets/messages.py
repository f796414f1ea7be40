"""Messages on their way to a signer and back: what devices refuse, and what editors change.

A device shows the message that it signs, so it limits its length and form. The limits are those of
Coldcard's public source and documentation, the strictest known: at most 240 characters for a signed
message (BIP-137) and 330 for BIP-322, ASCII alone, no space at an end, and no three in a row.
Ledger's app for Tron signs something else where a message has more than 255 bytes
(tronprotocol/tronweb, issue 660).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256

from verifier.ownership import OwnershipError

MOST_BIP137_CHARACTERS = 240
MOST_BIP322_CHARACTERS = 330
MOST_TRON_BYTES = 255

LINE_BREAKS = (
    "the messages have line breaks: some devices refuse them, and some show them as spaces or the "
    "whole in hex; rehearse, and compare the SHA-256"
)

# What a message becomes when a program saves or passes it on.
_CHANGED: dict[str, Callable[[str], str]] = {
    "with a line break at its end": lambda text: text + "\n",
    "with CRLF for line breaks": lambda text: text.replace("\n", "\r\n"),
    "with CRLF for line breaks, and one at its end": lambda text: (
        text.replace("\n", "\r\n") + "\r\n"
    ),
    "with a byte order mark": lambda text: "\ufeff" + text,
    "with its line breaks made spaces": lambda text: text.replace("\n", " "),
}


def digest_of(message: str) -> str:
    """Return the SHA-256, in hex, of the exact bytes to sign."""
    return sha256(message.encode()).hexdigest()


def device_warnings(chain: str, message: str) -> Iterator[str]:
    """Yield what devices may refuse in a message of a chain."""
    length = len(message)
    if chain == "bitcoin" and length > MOST_BIP322_CHARACTERS:
        yield f"{length} characters: some devices sign at most {MOST_BIP322_CHARACTERS} by BIP-322"
    if chain == "bitcoin" and length > MOST_BIP137_CHARACTERS:
        yield f"{length} characters: some devices sign at most {MOST_BIP137_CHARACTERS} by BIP-137"
    spare = len(message.encode()) - MOST_TRON_BYTES
    if chain == "tron" and spare > 0:
        yield (
            f"{MOST_TRON_BYTES + spare} bytes: Ledger's signature of more than {MOST_TRON_BYTES} "
            f"does not hold; shorten the exchange's name and the snapshot's id by {spare} together"
        )
    if not message.isascii():
        yield "characters beyond ASCII: some devices refuse them"
    if "   " in message:
        yield "three spaces in a row: some devices refuse them"
    if any(line != line.strip() for line in message.split("\n")):
        yield "a space at an end of a line: some devices refuse it"


def what_was_signed(check: Callable[[str], None], message: str) -> str:
    """Return what became of a message whose signature does not hold, or how to find out.

    ``check`` raises `OwnershipError` where the signature is not of the text that it gets.
    """
    for how, change in _CHANGED.items():
        try:
            check(change(message))
        except OwnershipError:
            continue
        return f"what was signed is the message {how}; sign the bytes of `assay challenge --out`"
    return (
        "the text to sign has no CRLF and no line break at its end, and the SHA-256 "
        f"{digest_of(message)}"
    )
