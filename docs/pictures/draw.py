"""Draws the pictures of "How it works": `python -m docs.pictures.draw` writes them beside itself.

One function a picture, named as its file. A picture is a function of this file alone.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from docs.pictures.canvas import Picture

HERE = Path(__file__).parent


def overview() -> Picture:
    """The whole: who gives what to whom."""
    it = Picture(
        286,
        "From a ledger to three readers",
        "The exchange's ledger and its signed addresses go into assay prove, which writes a public "
        "bundle and a private folder. From the private folder each customer gets a package. Anyone "
        "audits the bundle; a customer checks bundle and package together.",
    )
    it.box(24, 30, 170, 64, "private", "Ledger", "what is owed to whom")
    it.box(24, 126, 170, 64, "plain", "Addresses", "coins, and signatures")
    it.box(244, 78, 124, 64, "plain", "assay prove")
    it.arrow((194, 62), (219, 62), (219, 98), (244, 98))
    it.arrow((194, 158), (219, 158), (219, 122), (244, 122))
    it.box(424, 30, 150, 64, "public", "Bundle", "static files")
    it.box(424, 126, 150, 64, "private", "Private folder", "opens everything")
    it.arrow((368, 98), (396, 98), (396, 62), (424, 62))
    it.arrow((368, 122), (396, 122), (396, 158), (424, 158))
    it.box(424, 214, 150, 52, "own", "Package", "one customer's file")
    it.arrow((499, 190), (499, 214))
    it.box(624, 30, 112, 64, "own", "Anyone", "audits all")
    it.arrow((574, 62), (624, 62))
    it.box(624, 184, 112, 82, "own", "Customer", "am I", "counted?")
    it.arrow((574, 240), (624, 240))
    it.arrow((574, 78), (599, 78), (599, 204), (624, 204))
    return it


def ledger() -> Picture:
    """Step 1."""
    it = Picture(
        200,
        "The ledger is put into one canonical form",
        "Three rows of a ledger as an export has them are turned into a canonical list: "
        "identifiers "
        "in one spelling, sorted; balances exact, rounded up to whole units.",
    )
    it.text(24, 38, "as your systems export it", soft=True)
    rows = [
        ("Dana@mail.example", "0.500000004"),
        ("ada@mail.example", "1.5"),
        ("ada@mail.example", "0.25"),
    ]
    for number, (account, balance) in enumerate(rows):
        top = 52 + number * 40
        it.box(24, top, 178, 32, "private", account, size=14)
        it.box(208, top, 104, 32, "private", balance, size=14)
    it.arrow((326, 108), (420, 108))
    it.text(373, 96, "once", size=13, soft=True, middle=True)
    it.text(434, 38, "canonical, sorted, in whole units", soft=True)
    for number, (account, balance) in enumerate(
        [("ada@mail.example", "175,000,000"), ("dana@mail.example", "50,000,001")]
    ):
        top = 72 + number * 40
        it.box(434, top, 178, 32, "private", account, size=14)
        it.box(618, top, 118, 32, "private", balance, size=14)
    it.paragraph(434, 174, ["rounded up, never down:", "0.500000004 is 50,000,001 units"], size=13)
    return it


def parts() -> Picture:
    """Step 2."""
    it = Picture(
        190,
        "Balances are split, mixed with empty leaves, and shuffled",
        "Two balances are split into two and three parts. With leaves of zero they fill a "
        "list whose "
        "length says little, and a secret order mixes all of them.",
    )
    it.box(24, 40, 120, 36, "private", "ada: 7")
    it.box(24, 92, 120, 36, "private", "dana: 4")
    split = [(186, 40, "5"), (228, 40, "2"), (186, 92, "1"), (228, 92, "2"), (270, 92, "1")]
    for x, y, text in split:
        it.cell(x, y, 36, "private", text)
    it.arrow((144, 58), (182, 58))
    it.arrow((144, 110), (182, 110))
    it.text(24, 164, "empty leaves", soft=True)
    for x in (186, 228, 270):
        it.cell(x, 144, 36, "faint", "0")
    it.arrow((324, 110), (420, 110))
    it.text(372, 98, "secret", size=13, soft=True, middle=True)
    it.text(372, 130, "order", size=13, soft=True, middle=True)
    for number, text in enumerate(("2", "0", "1", "5", "0", "0", "1", "2")):
        kind = "private" if text != "0" else "faint"
        it.cell(436 + number * 38, 92, 36, kind, text)
    it.text(436, 154, "one list: whose is what, how many are real,", size=13, soft=True)
    it.text(436, 172, "and how large any balance is, nobody sees", size=13, soft=True)
    return it


def commitments() -> Picture:
    """Step 3."""
    it = Picture(
        234,
        "Amounts are sealed, sixteen in one, and sealed sums can be added",
        "Sixteen amounts and a random number make one sealed envelope that nobody can open or "
        "change. A sum and a random number make another. Adding two sealed sums gives an envelope "
        "with the sum of both.",
    )
    for number, text in enumerate(("5", "0", "2", "1", "…", "0")):
        it.cell(24 + number * 30, 44, 26, "private", text)
    it.text(24, 34, "sixteen amounts", size=13, soft=True)
    it.box(24, 90, 96, 46, "private", "r", "random")
    it.arrow((200, 57), (222, 57), (222, 82), (246, 82))
    it.arrow((120, 113), (222, 113), (222, 98), (246, 98))
    it.box(246, 64, 116, 52, "public", "U", "commitment")
    it.paragraph(
        24,
        164,
        [
            "hides all sixteen perfectly; the exchange",
            "can change none, and move none from",
            "its slot to another",
        ],
        size=13,
    )
    it.raw('<path d="M386 30V214" class="line" stroke-dasharray="3 4"/>')
    it.text(410, 34, "sealed sums of two pages", size=13, soft=True)
    it.box(410, 64, 86, 52, "public", "[ 5 ]")
    it.text(513, 96, "+", size=20, middle=True)
    it.box(530, 64, 86, 52, "public", "[ 2 ]")
    it.text(633, 96, "=", size=20, middle=True)
    it.box(650, 64, 86, 52, "public", "[ 7 ]")
    it.text(410, 156, "(5·V + r·B) + (2·V + s·B)", size=14, code=True)
    it.text(410, 176, "= 7·V + (r + s)·B", size=14, code=True)
    it.text(410, 206, "adding needs no secret: any reader can do it", size=13, soft=True)
    return it


def tree() -> Picture:
    """Step 4."""
    it = Picture(
        350,
        "Pages, and the tree of their sums",
        "The list of leaves is cut into pages. A page has a tree of hashes over whose leaves they "
        "are, a sealed sum, and sealed amounts, sixteen in one. A page of the level above holds, "
        "for each page below it, its hash and its sealed sum. The one page at the top is the root; "
        "its hash and sum stand in the signed manifest. Each page has an argument beside it.",
    )
    it.text(24, 282, "level 0", bold=True)
    it.text(24, 158, "level 1", bold=True)
    it.text(24, 52, "manifest", bold=True)
    for page in range(4):
        left = 118 + page * 158
        it.box(left, 246, 146, 72, "public", "", size=12)
        it.box(left + 8, 254, 62, 26, "plain", "hashes", size=12)
        it.box(left + 76, 254, 62, 26, "plain", "sum [ ]", size=12)
        for number in range(4):
            it.cell(left + 8 + number * 33, 286, 26, "plain", "U" if number < 3 else "…")
        centre = left + 73
        it.box(left + 4, 126, 138, 44, "plain", f"hash of page {page}", "sum [ ]", size=14)
        it.arrow((centre, 246), (centre, 172))
    it.raw('<rect x="110" y="114" width="636" height="68" rx="9" class="line"/>')
    it.text(24, 178, "root page", size=12, soft=True)
    it.box(
        258, 24, 340, 46, "public", "hash of the root, sum of everything", "signed by the exchange"
    )
    it.arrow((428, 114), (428, 72))
    it.text(444, 98, "C_L: all that is owed", size=13, soft=True)
    it.text(
        118,
        340,
        "Each page of both levels has an argument, in a file beside it (step 5).",
        size=13,
        soft=True,
    )
    return it


def ranges() -> Picture:
    """Step 5."""
    it = Picture(
        262,
        "Every amount is proved to be no less than zero, and every sum to be theirs",
        "Sealed amounts are numbers on a circle, so minus five would look like a huge number and "
        "would lower the sum. An argument for each page shows that every amount lies between "
        "zero and two to the sixty-fourth, and that all of them add up to the page's sum.",
    )
    it.text(
        24, 42, "Why: without it, an invented customer with −5 would lower what is owed.", bold=True
    )
    it.raw('<path d="M60 92H700" class="line" stroke-width="2"/>')
    it.raw('<rect x="60" y="84" width="150" height="16" rx="5" class="plain" stroke-width="1.5"/>')
    it.text(60, 124, "0", size=14, middle=True)
    it.text(210, 124, "2⁶⁴", size=14, middle=True)
    it.text(135, 76, "allowed", size=13, soft=True, middle=True)
    it.text(420, 80, "…", middle=True)
    it.raw('<circle cx="660" cy="92" r="6" class="bad"/>')
    it.text(660, 76, "−5", size=14, bad=True, middle=True)
    it.text(700, 124, "n", size=14, middle=True)
    it.text(420, 124, "numbers go round: n is 0 again", size=13, soft=True, middle=True)
    it.box(24, 158, 236, 76, "public", "4,096 sealed amounts", "sixteen in one; one page")
    it.text(280, 202, "+", size=20, middle=True)
    it.box(300, 158, 220, 76, "public", "one argument", "35,965 bytes, for all of them")
    it.arrow((520, 196), (562, 196))
    it.box(562, 158, 174, 76, "own", "each is in range,", "the sum is theirs;", "all stays sealed")
    return it


def package() -> Picture:
    """Step 6."""
    it = Picture(
        372,
        "A leaf is bound to the account that it is for, and its amount is shown to it alone",
        "The customer types their account id. With the key in their package it gives the identity "
        "of their leaf, a hash. A path of hashes from the package must lead to the one node on the "
        "published page that is its place. An opening from the package shows the amount in the "
        "sealed sixteen, and nothing of the others. From the page a path of hashes and sums leads "
        "to the signed root.",
    )
    it.box(24, 30, 176, 52, "own", "you type your id", "ada@mail.example")
    it.box(
        24,
        112,
        176,
        128,
        "own",
        "your package",
        "account key",
        "amount 5; leaf 8,230",
        "path: six hashes",
        "opening: 545 bytes",
    )
    it.box(250, 30, 168, 52, "own", "identity = hash of", "key, id, asset, part")
    it.arrow((200, 56), (250, 56))
    it.arrow((200, 144), (225, 144), (225, 68), (250, 68))
    it.box(250, 116, 168, 46, "own", "path leads to it", "whose leaf it is", size=14)
    it.box(250, 194, 168, 46, "own", "opening holds", "slot 6 holds 5", size=14)
    it.arrow((334, 82), (334, 116))
    it.arrow((200, 176), (237, 176), (237, 139), (250, 139))
    it.arrow((200, 217), (250, 217))
    it.box(474, 112, 262, 148, "public", "", size=12)
    it.box(486, 124, 238, 30, "plain", "", size=12)
    for number in range(7):
        kind = "own" if number == 0 else "plain"
        it.cell(490 + number * 33, 126, 26, kind, "#")
    it.arrow((418, 139), (488, 139))
    it.text(605, 174, "hashes of whose leaves they are", size=12, soft=True, middle=True)
    for number in range(7):
        kind = "own" if number == 2 else "plain"
        it.cell(490 + number * 33, 204, 26, kind, "U")
    it.arrow((418, 217), (450, 217), (450, 190), (569, 190), (569, 202))
    it.text(605, 250, "page 2 of level 0: sealed amounts", size=12, soft=True, middle=True)
    it.box(474, 30, 262, 52, "public", "root, in the signed manifest", "hash and sum", size=14)
    it.arrow((605, 112), (605, 84))
    it.text(466, 102, "hash and sum match", size=12, soft=True)
    it.text(24, 292, "Two customers cannot be shown one leaf:", bold=True)
    it.paragraph(
        24,
        316,
        [
            "each computes the identity from the id that they typed. Another id gives another "
            "hash, and its path",
            "leads elsewhere. And an envelope opens, at your slot, to one amount alone.",
        ],
    )
    return it


def addresses() -> Picture:
    """Step 7, ownership."""
    it = Picture(
        212,
        "Every address signs for this snapshot",
        "A message names the exchange, the snapshot and a block. The owner of each address "
        "signs it. "
        "Address, amount and signature become a row of the evidence, which every reader checks.",
    )
    it.box(24, 44, 190, 116, "public", "", size=12)
    for number, line in enumerate(
        ("assay/v1/ownership", "exchange and its key", "2026-11-21", "bitcoin", "b8201458…dcb5")
    ):
        it.text(36, 66 + number * 20, line, size=13, code=number in (0, 4))
    it.text(24, 34, "message", soft=True, size=13)
    it.box(254, 70, 166, 64, "private", "key of an address", "stays in the wallet")
    it.arrow((214, 102), (254, 102))
    it.text(337, 60, "signs", soft=True, size=13, middle=True)
    it.arrow((420, 102), (460, 102))
    it.box(460, 44, 276, 116, "public", "", size=12)
    it.text(460, 34, "a row of the evidence", soft=True, size=13)
    for number, (name, value) in enumerate(
        (("address", "bc1qpfwm…8ut9"), ("amount", "123,276,397"), ("signature", "smpAkgwRQ…GOBE"))
    ):
        it.text(474, 78 + number * 28, name, size=13, soft=True)
        it.text(562, 78 + number * 28, value, size=13, code=True)
    it.text(
        24,
        194,
        "An old signature names an older snapshot and block: it counts for nothing here.",
        soft=True,
        size=13,
    )
    return it


def levels() -> Picture:
    """Step 7, amounts."""
    it = Picture(
        330,
        "How well an amount is known",
        "Claimed: the exchange says what lies at an address. Header: the state of an "
        "Ethereum block "
        "proves it, from the block's hash in the manifest through the header and the nodes "
        "of a tree "
        "to the account. Chain: the reader's own node confirms the block, or the coins of Bitcoin.",
    )
    names = [
        ("claimed", "the exchange says so"),
        ("header", "proved under a block"),
        ("chain", "your node agrees"),
    ]
    for number, (name, meaning) in enumerate(names):
        it.box(24, 30 + number * 96, 164, 58, "plain", name, meaning)
        if number:
            it.arrow((106, number * 96 - 8), (106, 30 + number * 96))
    it.box(206, 30, 250, 58, "public", "row: 0x52b3… holds 31 ETH", "the owner signed", size=14)
    chain = [
        ("block hash", "in the manifest"),
        ("header", "hashes to it"),
        ("tree nodes", "hash to it"),
        ("account", "31 ETH"),
    ]
    for number, (name, meaning) in enumerate(chain):
        left = 206 + number * 137
        it.box(left, 126, 116, 58, "public", name, meaning, size=14)
        if number:
            it.arrow((left - 21, 155), (left, 155))
    it.box(206, 222, 250, 58, "own", "your node of Ethereum", "has that block at that height")
    it.box(486, 222, 250, 58, "own", "your node of Bitcoin", "has these coins, unspent")
    it.arrow((264, 222), (264, 186))
    it.text(486, 64, "Bitcoin: no block proves it,", size=13, soft=True)
    it.text(486, 82, "only a node can tell", size=13, soft=True)
    it.text(24, 316, "The verdict names the weakest level of any asset.", soft=True, size=13)
    return it


def hidden() -> Picture:
    """Step 7, hidden keys."""
    it = Picture(
        250,
        "Keys that stay hidden in a crowd",
        "On the left what the exchange knows: five of forty keys in a list are its own. On "
        "the right what "
        "everybody sees: the list of forty keys with what each holds, one sealed sum, and "
        "an argument "
        "that the sum is that of keys whose private keys the exchange has.",
    )
    own = {3, 11, 18, 26, 37}
    it.text(24, 40, "what the exchange knows", soft=True, size=13)
    it.text(300, 40, "what everybody sees", soft=True, size=13)
    for number in range(40):
        x, y = (number % 8) * 28, 52 + (number // 8) * 28
        it.cell(
            24 + x, y, 24, "private" if number in own else "faint", "●" if number in own else ""
        )
        it.cell(300 + x, y, 24, "public")
    it.arrow((252, 120), (296, 120))
    it.box(572, 52, 164, 56, "public", "[ sum ]", "of its own keys")
    it.box(572, 132, 164, 56, "public", "argument", "32 bytes a key")
    it.paragraph(
        24,
        218,
        [
            "Each key counts once or not at all, and only if the exchange has its private key.",
            "Which ones, how many, and what they hold: sealed.",
        ],
        size=13,
    )
    return it


def solvency() -> Picture:
    """Step 8."""
    it = Picture(
        222,
        "Assets less liabilities is not negative",
        "From the sealed or open sum of assets everyone subtracts the sealed sum of "
        "liabilities. The "
        "difference is sealed too; an argument shows that it is not negative.",
    )
    it.box(24, 44, 156, 72, "public", "C_A: assets", "rows added up,", "and sealed sums")
    it.text(204, 88, "−", size=22, middle=True)
    it.box(228, 44, 156, 72, "public", "C_L: liabilities", "from the root")
    it.text(408, 88, "=", size=22, middle=True)
    it.box(432, 44, 132, 72, "public", "D: difference", "still sealed")
    it.arrow((564, 80), (604, 80))
    it.box(604, 44, 132, 72, "own", "D ≥ 0", "by the argument")
    it.paragraph(
        24,
        152,
        [
            "Everybody knows the first three. Only the exchange can make the argument for "
            "the fourth, and",
            "only if it is true. For a ratio such as 105/100 both sides are multiplied "
            "first: 100·C_A − 105·C_L.",
            "What the exchange owes, and how much more it holds, stays sealed.",
        ],
        size=13,
    )
    return it


def readers() -> Picture:
    """Step 9."""
    it = Picture(
        290,
        "What each reader checks",
        "Three copies of a bundle. An audit checks manifest, evidence, solvency, and every page "
        "with its argument. The check of solvency leaves the pages out. A customer checks the "
        "manifest, their package, and the pages on the paths of their own leaves, with their "
        "arguments.",
        legend=False,
    )
    columns = [
        ("audit", "everything", True, {0, 1, 2, 3, 4}),
        ("solvency", "a first look", True, set[int]()),
        ("inclusion", "one customer", False, {0, 2}),
    ]
    for number, (name, who, proof, pages) in enumerate(columns):
        left = 24 + number * 244
        it.text(left, 42, name, bold=True)
        it.text(left + 92, 42, who, size=13, soft=True)
        it.box(left, 56, 224, 34, "own", "manifest and its signature", size=13)
        it.box(left, 100, 108, 34, "own" if proof else "faint", "evidence", size=13)
        it.box(left + 116, 100, 108, 34, "own" if proof else "faint", "solvency", size=13)
        it.box(left + 72, 154, 80, 34, "own" if 0 in pages else "faint", "root", size=13)
        for page in range(1, 5):
            x = left + (page - 1) * 58
            it.box(x, 214, 50, 34, "own" if page in pages else "faint", "page", size=12)
            it.arrow((x + 25, 214), (left + 112 + (page - 2.5) * 12, 189), tip=False)
    it.text(512, 275, "and their package", size=13, soft=True)
    it.cell(24, 264, 13, "own")
    it.text(44, 275, "checked", size=13, soft=True)
    it.cell(124, 264, 13, "faint")
    it.text(144, 275, "not read", size=13, soft=True)
    it.text(224, 275, "each page with its argument", size=13, soft=True)
    return it


PICTURES: tuple[Callable[[], Picture], ...] = (
    overview,
    ledger,
    parts,
    commitments,
    tree,
    ranges,
    package,
    addresses,
    levels,
    hidden,
    solvency,
    readers,
)


if __name__ == "__main__":
    for picture in PICTURES:
        picture().save(HERE / f"{picture.__name__}.svg")
