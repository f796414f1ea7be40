"""The list of codes is closed, and the specification's."""

from __future__ import annotations

import re
from pathlib import Path

from verifier.errors import Code
from verifier.texts import explain

ERRORS = Path(__file__).parents[4] / "spec" / "errors.md"
FAMILIES = (
    "argument|attestation|bundle|chain|check|declaration|evidence|hidden|inclusion|manifest"
    "|opening|package|page|proof|record|web"
)


def test_codes_are_those_of_the_specification():
    rows = [line for line in ERRORS.read_text().splitlines() if line.startswith("|")]
    named = set(re.findall(rf"`((?:{FAMILIES})\.[a-z-]+)`", "\n".join(rows)))
    # files, and not codes
    named -= {"declaration.msgpack", "manifest.msgpack", "manifest.sig"}
    listed = set(re.findall(rf"`((?:{FAMILIES})\.[a-z-]+)`", ERRORS.read_text()))
    assert {code.value for code in Code} == named | (listed & set(Code))
    assert named <= set(Code)


def test_every_code_has_words_of_its_own():
    """Advice belongs to a code and never to a family, or it is wrong for some of them."""
    words = {code: explain(code) for code in Code}
    for field in ("finding", "advice"):
        texts = [getattr(entry, field) for entry in words.values()]
        assert len(set(texts)) == len(texts) == len(Code)
        assert all(text.endswith(".") and text[0].isupper() for text in texts)


# Before its signature is checked, what was fetched is nobody's, and another copy may be right.
UNSIGNED = {
    "bundle.missing-file", "bundle.unexpected-file", "bundle.wrong-argument",
    "declaration.too-large",
    "declaration.wrong-digest", "evidence.too-large", "evidence.wrong-digest",
    "manifest.bad-signature", "manifest.too-large", "package.bad-signature", "package.too-large",
    "package.not-canonical", "package.bad-fields", "page.bad-file-length", "page.bad-header",
    "page.wrong-root-id", "record.bad-signature", "record.too-large", "record.wrong-manifest",
    "web.other-page",
}  # fmt: skip
# Bytes under the manifest's signature or digest: every copy has the same.
SIGNED = {
    code
    for code in Code
    if code.startswith(
        ("manifest.", "declaration.", "evidence.", "attestation.", "hidden.", "proof.")
    )
    and code not in UNSIGNED
}


def test_nobody_is_accused_of_what_was_not_signed():
    for code in UNSIGNED:
        words = explain(Code(code))
        assert "Exchange signed" not in words.advice, code
        assert not re.search("signed (it|this|both|for)", words.advice.replace("not signed", "")), (
            code
        )


def test_nobody_is_sent_for_another_copy_of_what_is_signed():
    for code in SIGNED:
        assert not re.search("another copy[.:]|again from|[Ff]etch", explain(code).advice), code
