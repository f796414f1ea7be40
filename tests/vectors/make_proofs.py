"""Vectors of state proofs on Ethereum: true ones, and every way in which one can be false.

A header may be anybody's, so that a malformed node or value can stand under a root that names it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache

import rlp
from eth_hash.auto import keccak

from tests.support.bases import base_files, derived, positive
from tests.support.ethereum_state import (
    EMPTY_CODE,
    EMPTY_ROOT,
    FORKS,
    Account,
    Tree,
    World,
    avalanche_fields,
    header,
    header_fields,
    number,
    proof_fields,
    slot_key,
)
from tests.support.forged_sample import BTC, ETH, TETHER, USDT, Spec
from tests.support.forger import Fields
from tests.support.proven import (
    BITCOIN,
    HEIGHT,
    USDT_SLOT,
    Block,
    account,
    block,
    contract_bytes,
    filler,
    proven,
    world,
)
from tests.support.vector import Vector
from tests.vectors.make_evidence import Edit

HOLDER = account("account")
TOKEN = contract_bytes(USDT)
USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
OTHER_TOKEN = "0x1111111111111111111111111111111111111111"  # EIP-55: digits alone
PATH = keccak(HOLDER).hex()
HELD = ETH.holdings[0][2]


def vector(
    name: str,
    description: str,
    code: str | None,
    at: Block | None = None,
    edit: Edit = lambda fields: None,
    of: str = "ETH",
    source: str = "state proofs",
    **content: object,
) -> Vector:
    """A bundle of the exchange whose coins are proved, but for a block or an edit of evidence."""
    files = proven(at, edit, of).forger.bundle()
    return derived(name, description, source, code, files, of="proven", **content)


def vectors() -> Iterator[Vector]:
    levels = {"ETH": "header", "USDT": "header"}
    yield positive(
        "proven",
        "Ether and a token, proved by the state of a block.",
        base_files("proven"),
        levels=levels,
    )
    for maker in (
        accepted,
        slots,
        files,
        headers,
        forms,
        paths,
        nodes,
        values,
        amounts,
        contracts,
    ):
        yield from maker()


def accepted() -> Iterator[Vector]:
    for fork in FORKS:
        if fork != "prague":
            yield vector(f"proof-{fork}", f"A header of {fork.capitalize()}.", None, block(fork))
    yield from grown_headers()

    def less(fields: Fields) -> None:
        fields["rows"][0]["amount"] = (HELD - 1).to_bytes(32, "big")

    # The lost base unit lies below the ledger's unit, and so the sum stays what was argued.
    yield vector("proof-of-more", "More is there than the row counts.", None, None, less)
    yield vector(
        "proof-inside",
        "A token's balance in a node inside a node inside the root.",
        None,
        inside(),
    )
    nobody = replace(ETH, holdings=(("account", "", HELD), ("other account", "", 0)))
    absent = [*block().nodes["ETH"], *world().nodes((account("other account"), b"", 0))]
    made = proven(
        replace(block(), nodes={**block().nodes, "ETH": sorted(set(absent))}),
        specs=[nobody, TETHER],
    )
    yield derived(
        "proof-absent",
        "An account that does not exist holds nothing.",
        "state proofs",
        None,
        made.forger.bundle(),
        of="proven",
    )
    yield from empty_tokens()


def grown_headers() -> Iterator[Vector]:
    """Headers of as many fields as no fork known has."""
    amsterdam = header_fields(world().accounts.root, HEIGHT, "amsterdam")
    unknown = [b"", b"\0", b"\x7f", keccak(b"of another fork"), bytes(256)]
    for count in (18, 19, 22):
        yield vector(
            f"proof-header-fields-{count}",
            f"A header of {count} fields, which a hash binds like any other.",
            None,
            replace(block(), header=bytes(rlp.encode(amsterdam[:count]))),
        )
    for count, more in ((24, unknown[:1]), (28, unknown), (1023, [b"\x01"] * 1000)):
        yield vector(
            f"proof-header-fields-{count}",
            f"A header of {count} fields, as of a fork to come.",
            None,
            replace(block(), header=bytes(rlp.encode([*amsterdam, *more]))),
        )


def empty_tokens() -> Iterator[Vector]:
    """A row of nothing of a token, which has no storage or does not exist."""
    nothing = replace(TETHER, holdings=(("account", USDT, 0),), ratio=(1, 1))
    for name, description, accounts in (
        ("no-contract", "A token that does not exist.", {}),
        ("no-storage", "A token without any balance.", {TOKEN: Account(nonce=1)}),
    ):
        other = World({HOLDER: Account(HELD), filler(1): Account(1), **accounts})
        at = Block(
            header(other.accounts.root, HEIGHT),
            {"ETH": other.nodes((HOLDER, b"", 0)), "USDT": other.nodes((HOLDER, TOKEN, USDT_SLOT))},
        )
        made = proven(at, specs=[ETH, nothing], customers={"bob@example.com": {"ETH": [1]}})
        yield derived(
            f"proof-{name}", description, "state proofs", None, made.forger.bundle(), of="proven"
        )


def inside() -> Block:
    """The holder's balance of the token, in a leaf of a few bytes beside a neighbour's."""
    key = keccak(slot_key(HOLDER, USDT_SLOT))
    neighbour = key[:-1] + bytes([key[-1] ^ 1])
    amount = rlp.encode(number(TETHER.holdings[0][2]))
    storage = Tree({}, {key: amount, neighbour: rlp.encode(b"\x01")})
    nodes = [bytes(rlp.encode(node)) for node in storage.trie.get_proof(key)]
    token = rlp.encode([b"", b"", storage.root, EMPTY_CODE])
    mine = rlp.encode([b"", number(HELD), EMPTY_ROOT, EMPTY_CODE])
    accounts = Tree({TOKEN: token, HOLDER: mine})
    return Block(
        header(accounts.root, HEIGHT),
        {
            "ETH": sorted(accounts.proof(HOLDER)),
            "USDT": sorted({*accounts.proof(TOKEN), nodes[0]}),
        },
    )


def slots() -> Iterator[Vector]:
    """Tokens whose slot the user names, or nobody, and one that freezes balances."""
    foreign = replace(
        TETHER,
        code="XYZ",
        units=(("ethereum", OTHER_TOKEN, 6),),
        holdings=(("account", OTHER_TOKEN, 1_000_000),),
    )
    units = {"units": [["XYZ", "ethereum", OTHER_TOKEN, 6]]}
    at = token_block(OTHER_TOKEN, 300, 1_000_000, "XYZ")
    files = proven(at, specs=[ETH, foreign]).forger.bundle()
    for name, description, code, named in (
        (
            "named",
            "A token whose slot the verifier's user names.",
            None,
            [["ethereum", OTHER_TOKEN, 300]],
        ),
        (
            "named-wrong",
            "The user names another slot.",
            "proof.amount-too-large",
            [["ethereum", OTHER_TOKEN, 3]],
        ),
    ):
        yield derived(
            f"proof-slot-{name}",
            description,
            "state proofs",
            code,
            files,
            of="proven",
            policy={**units, "slots": named},
        )
    unproved = {"ETH": "header", "XYZ": "claimed"}
    for name, description, named in (
        ("unknown", "A token whose slot nobody names.", []),
        (
            "elsewhere",
            "A slot that is another chain's.",
            [["bsc", OTHER_TOKEN, 3]],
        ),
    ):
        yield derived(
            f"proof-slot-{name}",
            f"{description} What it holds stays a claim.",
            "state proofs",
            None,
            files,
            of="proven",
            policy={**units, "slots": named},
            levels=unproved,
        )
    yield derived(
        "proof-slot-set-aside",
        "The verifier's user names the slot, and not what the token is.",
        "state proofs",
        None,
        files,
        of="proven",
        policy={"slots": [["ethereum", OTHER_TOKEN, 300]]},
        levels={"ETH": "header", "XYZ": "header"},
        set_aside=["XYZ"],
    )
    yield derived(
        "proof-slot-set-aside-unknown",
        "The verifier's user names neither the token nor its slot.",
        "state proofs",
        None,
        files,
        of="proven",
        levels=unproved,
        set_aside=["XYZ"],
    )
    circle = replace(
        TETHER,
        code="USDC",
        units=(("ethereum", USDC, 6),),
        holdings=(("account", USDC, 1_000_000),),
    )
    customers = {"bob@example.com": {"ETH": [1], "USDC": [1_000_000]}}
    frozen = 1_000_000 | 1 << 255
    for name, description, code, word, more in (
        ("usdc", "A balance of USDC.", None, 1_000_000, {}),
        (
            "usdc-blacklisted",
            "A balance of USDC of a blacklisted address.",
            "proof.amount-too-large",
            frozen,
            {},
        ),
        (
            "usdc-blacklisted-named",
            "The same, and the user names the slot that is known.",
            "proof.amount-too-large",
            frozen,
            {"policy": {"slots": [["ethereum", USDC, 9]]}},
        ),
    ):
        at = token_block(USDC, 9, word, code="USDC")
        yield derived(
            f"proof-{name}",
            description,
            "state proofs",
            code,
            proven(at, specs=[ETH, circle], customers=customers).forger.bundle(),
            of="proven",
            **more,
        )


def token_block(contract: str, slot: int, word: int, code: str = "USDT") -> Block:
    """A block in which the holder has so much of a token."""
    place = contract_bytes(contract)
    others = {slot_key(filler(at), slot): at + 1 for at in range(8)}
    other = World(
        {
            HOLDER: Account(HELD),
            place: Account(storage={**others, slot_key(HOLDER, slot): word}),
            **{filler(at): Account(at) for at in range(8)},
        }
    )
    return Block(
        header(other.accounts.root, HEIGHT),
        {"ETH": other.nodes((HOLDER, b"", 0)), code: other.nodes((HOLDER, place, slot))},
    )


def files() -> Iterator[Vector]:
    """Form and order of the proofs themselves."""
    whole = proof_fields(block().header, block().nodes["ETH"])

    def proofs(*items: Fields) -> Edit:
        return lambda fields: fields.update(proofs=list(items))

    def changed(**changes: object) -> Edit:
        return proofs(whole | changes)

    listed = list(block().nodes["ETH"])
    cases: list[tuple[str, str, str, Edit]] = [
        (
            "order",
            "unsorted",
            "Proofs are not in order.",
            proofs(whole, whole | {"chain": "bitcoin"}),
        ),
        ("twice", "unsorted", "A proof twice.", proofs(whole, whole)),
        ("node-order", "unsorted", "Nodes are not in order.", changed(nodes=listed[::-1])),
        (
            "node-twice",
            "unsorted",
            "A node twice.",
            changed(nodes=[*listed, listed[-1]]),
        ),
        ("node-empty", "bad-fields", "A node is empty.", changed(nodes=[b"", *listed])),
        (
            "node-long",
            "bad-fields",
            "A node has 4,097 bytes.",
            changed(nodes=[bytes(4097), *listed]),
        ),
        ("header-empty", "bad-fields", "A header is empty.", changed(header=b"")),
        (
            "header-long",
            "bad-fields",
            "A header has 8,193 bytes.",
            changed(header=bytes(8193)),
        ),
        ("field", "bad-fields", "A proof has an unknown field.", changed(root=bytes(32))),
    ]
    for name, code, description, edit in cases:
        yield vector(f"proof-file-{name}", description, f"evidence.{code}", None, edit)


def headers() -> Iterator[Vector]:
    root = world().accounts.root
    prague = header_fields(root, HEIGHT)
    amsterdam = header_fields(root, HEIGHT, "amsterdam")

    def field(place: int, value: object) -> bytes:
        fields = prague if place < len(prague) else [*amsterdam, b"of a fork to come"]
        return bytes(rlp.encode([*fields[:place], value, *fields[place + 1 :]]))

    whole = header(root, HEIGHT)
    malformed = {
        "fields-15": ("A header of before London.", bytes(rlp.encode(prague[:15]))),
        "fields-0": ("A header of no fields.", bytes(rlp.encode([]))),
        "list-field": ("A field is a list.", field(12, [b"extra"])),
        "short-root": ("A state root of 31 bytes.", field(3, root[:31])),
        "long-root": ("A state root of 33 bytes.", field(3, root + b"\0")),
        "bloom": ("A logs' bloom of 255 bytes.", field(6, bytes(255))),
        "number-long": ("A number of 9 bytes.", field(8, b"\x01" + bytes(8))),
        "number-zero": ("A number with a leading zero.", field(8, b"\0" + number(HEIGHT))),
        "difficulty": ("A difficulty of 33 bytes.", field(7, b"\x01" + bytes(32))),
        "zero": ("A base fee of zero that is not empty.", field(15, b"\0")),
        "extra": ("Extra data of 33 bytes.", field(12, bytes(33))),
        "nonce": ("A nonce of 7 bytes.", field(14, bytes(7))),
        "beacon": ("A beacon block's root that is empty.", field(19, b"")),
        "requests": ("A requests' hash of 31 bytes.", field(20, bytes(31))),
        "access-list": ("A block access list's hash of 31 bytes.", field(21, bytes(31))),
        "access-list-empty": ("A block access list's hash that is empty.", field(21, b"")),
        "slot-long": ("A slot number of 9 bytes.", field(22, b"\x01" + bytes(8))),
        "slot-zero": ("A slot number with a leading zero.", field(22, b"\0\x07")),
        "slot-list": ("A slot number that is a list.", field(22, [])),
        "unknown-list": ("A field of a fork to come that is a list.", field(23, [b"a"])),
        "trailing": ("A byte after the header.", whole + b"\0"),
        "truncated": ("The last byte is missing.", whole[:-1]),
        "long-length": ("A length with a leading zero.", b"\xfa\0" + whole[1:]),
        "string": ("A string.", bytes(rlp.encode(whole))),
        "false-length": ("A length beyond everything.", b"\xff" * 9),
        "no-length": ("A length that is cut off.", b"\xff"),
    }
    spelt = bytes(rlp.encode(field_of(prague, 15, b"\x07")))
    at = spelt.rindex(b"\x07\xa0")  # the base fee, before the withdrawals' root
    longer = spelt[:1] + (int.from_bytes(spelt[1:3], "big") + 1).to_bytes(2, "big")
    malformed["long-byte"] = (
        "A byte that should stand for itself.",
        longer + spelt[3:at] + b"\x81" + spelt[at:],
    )
    for name, (description, data) in malformed.items():
        yield vector(
            f"proof-header-{name}",
            description,
            "proof.bad-header",
            replace(block(), header=data),
        )
    yield vector(
        "proof-block-hash",
        "The header of another block of the same state.",
        "proof.wrong-block",
        None,
        lambda fields: fields["proofs"][0].update(header=header(root, HEIGHT, "cancun")),
    )
    chains = [BITCOIN, ("ethereum", HEIGHT + 1, keccak(block().header))]
    files = proven(chains=chains).forger.bundle()
    yield derived(
        "proof-block-height",
        "The right header, at another height.",
        "state proofs",
        "proof.wrong-block",
        files,
        of="proven",
    )
    stray = replace(block(), nodes={"BTC": block().nodes["ETH"]})
    yield derived(
        "proof-block-none",
        "A proof of a chain that the manifest has no block of.",
        "state proofs",
        "proof.wrong-block",
        proven(stray, specs=[BTC], chains=[BITCOIN]).forger.bundle(),
        of="proven",
    )


def forms() -> Iterator[Vector]:
    """Headers in the forms of other EVM chains, and in those of no chain or another's."""
    root = world().accounts.root
    london = header_fields(root, HEIGHT)[:16]
    avalanche = avalanche_fields(root, HEIGHT)
    extra = [field_of(london, 12, bytes(count)) for count in (97, 4096, 4097)]
    cases: list[tuple[str, str, str, str | None, Sequence[bytes]]] = [
        ("bsc-15", "of before the base fee", "bsc", None, extra[0][:15]),
        ("bsc-16", "with the base fee", "bsc", None, extra[0]),
        ("bsc-14", "of 14 fields", "bsc", "proof.bad-header", extra[0][:14]),
        ("polygon", "with 4,096 bytes of extra data", "polygon", None, extra[1]),
        ("polygon-extra", "with 4,097 of them", "polygon", "proof.bad-header", extra[2]),
        ("polygon-15", "without the base fee", "polygon", "proof.bad-header", extra[0][:15]),
        ("avalanche", "in its own order", "avalanche", None, avalanche[:19]),
        ("avalanche-tail", "with all of its last fields", "avalanche", None, avalanche),
        ("avalanche-18", "of 18 fields", "avalanche", "proof.bad-header", avalanche[:18]),
        (
            "avalanche-order",
            "in the order of Ethereum",
            "avalanche",
            "proof.bad-header",
            header_fields(root, HEIGHT),
        ),
        (
            "avalanche-zero",
            "whose block gas cost has a leading zero",
            "avalanche",
            "proof.bad-header",
            field_of(avalanche, 18, b"\0\x07"),
        ),
    ]
    for name, words, chain, code, fields in cases:
        coin = {"avalanche": "AVAX", "bsc": "BNB", "polygon": "POL", "zksync": "ETH"}[chain]
        spec = Spec(coin, 9, ((chain, "", 18),), ((f"{chain} account", "", HELD),))
        at = Block(bytes(rlp.encode([*fields])), {coin: block().nodes["ETH"]}, chain)
        customers = {"bob@example.com": {coin: [7_000_000_000]}}
        more = {} if code else {"levels": {coin: "header"}}
        yield derived(
            f"proof-form-{name}",
            f"A header of {chain} {words}.",
            "state proofs",
            code,
            proven(at, specs=[spec], customers=customers).forger.bundle(),
            of="proven",
            **more,
        )


def field_of(fields: Sequence[bytes], place: int, value: bytes) -> list[bytes]:
    return [*fields[:place], value, *fields[place + 1 :]]


def paths() -> Iterator[Vector]:
    """Nodes of the right form, and yet not those that prove what is counted."""
    honest = block()
    listed = list(honest.nodes["ETH"])

    def shown(code: str, nodes: Sequence[bytes]) -> Block:
        return replace(honest, nodes={**honest.nodes, code: sorted(nodes)})

    for place in range(len(listed)):
        yield vector(
            f"proof-missing-{place}",
            "A node is missing.",
            "proof.missing-node",
            shown("ETH", listed[:place] + listed[place + 1 :]),
        )
        spoilt = listed[place][:-1] + bytes([listed[place][-1] ^ 1])
        yield vector(
            f"proof-tampered-{place}",
            "A byte of a node is changed.",
            "proof.missing-node",
            shown("ETH", [*listed[:place], spoilt, *listed[place + 1 :]]),
        )
    other = World({HOLDER: Account(10**30), filler(0): Account(1)})
    cases: list[tuple[str, str, str, list[bytes]]] = [
        ("foreign-root", "Nodes of another block's state.", "ETH", other.nodes((HOLDER, b"", 0))),
        ("address", "Another account's nodes.", "ETH", world().nodes((filler(3), b"", 0))),
        ("slot", "Another slot's nodes.", "USDT", world().nodes((HOLDER, TOKEN, 3))),
        ("key", "Another's balance of the token.", "USDT", world().nodes((filler(3), TOKEN, 2))),
        (
            "storage",
            "The token's account without its storage.",
            "USDT",
            world().nodes((TOKEN, b"", 0)),
        ),
        ("none", "No nodes at all.", "ETH", []),
    ]
    for name, description, code, nodes in cases:
        yield vector(f"proof-wrong-{name}", description, "proof.missing-node", shown(code, nodes))
    yield vector(
        "proof-unused",
        "A node too many.",
        "proof.unused-node",
        shown("ETH", list({*listed, *honest.nodes["USDT"]})),
    )
    stray = replace(honest, nodes={**honest.nodes, "BTC": listed})
    yield derived(
        "proof-unused-all",
        "A proof of a chain on which the asset has no row.",
        "state proofs",
        "proof.unused-node",
        proven(stray, specs=[BTC, ETH, TETHER]).forger.bundle(),
        of="proven",
    )


def under(*nodes: bytes) -> Block:
    """A block whose state root is the first of some nodes; the token has no evidence under it."""
    return Block(header(keccak(nodes[0]), HEIGHT), {"ETH": sorted(set(nodes))})


def leaf_path(nibbles: str, kind: int = 2) -> bytes:
    """Nibbles in hex-prefix form, of a leaf (2) or an extension (0)."""
    odd = len(nibbles) % 2
    return bytes.fromhex(f"{kind + odd:x}{'' if odd else '0'}{nibbles}")


@cache
def my_account() -> bytes:
    return bytes(rlp.encode([b"", number(HELD), EMPTY_ROOT, EMPTY_CODE]))


def encoded(items: Sequence[object]) -> bytes:
    return bytes(rlp.encode(items))


def nodes() -> Iterator[Vector]:
    """Malformed nodes under a root that names them."""
    good = encoded([leaf_path(PATH), my_account()])
    yield vector("proof-node-root-leaf", "A state of one account.", None, under(good))
    rest = encoded([leaf_path(PATH[1:]), my_account()])
    first = int(PATH[0], 16)

    def branch(child: object = keccak(rest), value: bytes = b"", also: object = b"") -> bytes:
        items: list[object] = [*([b""] * 16), value]
        items[first - 1] = also
        items[first] = child
        return encoded(items)

    yield vector("proof-node-branch", "A branch of one.", None, under(branch(), rest))
    deep = encoded([leaf_path(""), my_account()])
    last: list[object] = [b""] * 17
    last[int(PATH[63], 16)] = keccak(deep)
    way = encoded([leaf_path(PATH[:63], 0), keccak(encoded(last))])
    yield vector(
        "proof-node-deep", "A leaf with no nibble left.", None, under(way, encoded(last), deep)
    )
    cut = encoded([leaf_path(PATH[:62]), my_account()])
    cases: list[tuple[str, str, tuple[bytes, ...]]] = [
        ("string", "A string.", (encoded_string(good),)),
        ("empty-list", "A list of nothing.", (b"\xc0",)),
        ("items-3", "A node of three items.", (encoded([leaf_path(PATH), my_account(), b""]),)),
        ("items-16", "A branch of 16 items.", (encoded([b""] * 16),)),
        ("trailing", "A byte after a node.", (good + b"\0",)),
        ("truncated", "A node whose last byte is missing.", (good[:-1],)),
        ("branch-value", "A branch with a value.", (branch(value=b"\x01"), rest)),
        ("reference-31", "A reference of 31 bytes.", (branch(child=bytes(31)),)),
        ("reference-33", "A reference of 33 bytes.", (branch(child=bytes(33)),)),
        (
            "reference-elsewhere",
            "A malformed reference that the path does not take.",
            (branch(also=b"\x01"), rest),
        ),
        (
            "inside-32",
            "A node of more than 31 bytes inside another.",
            (branch(child=[leaf_path(PATH[1:]), my_account()]),),
        ),
        ("inside-empty", "An empty list in a node's place.", (branch(child=[]),)),
        ("no-path", "An empty path.", (encoded([b"", my_account()]),)),
        ("path-list", "A path that is a list.", (encoded([[b"\x20"], my_account()]),)),
        ("prefix-4", "A path whose prefix is 4.", (encoded([b"\x40" + keccak(HOLDER), b"a"]),)),
        (
            "prefix-odd",
            "An even path with a nibble before it.",
            (encoded([b"\x21" + keccak(HOLDER), my_account()]),),
        ),
        ("leaf-empty", "A leaf without a value.", (encoded([leaf_path(PATH), b""]),)),
        ("leaf-list", "A leaf whose value is a list.", (encoded([leaf_path(PATH), [b"a"]]),)),
        ("leaf-short", "A leaf that ends before the key.", (cut,)),
        ("leaf-long", "A leaf beyond the key.", (encoded([leaf_path(PATH + "0"), b"a"]),)),
        ("leaf-foreign-short", "A leaf of another key, too short.", (foreign_leaf(),)),
        (
            "extension-empty",
            "An extension of no nibbles.",
            (encoded([leaf_path("", 0), keccak(good)]), good),
        ),
        (
            "extension-whole",
            "An extension over the whole key.",
            (encoded([leaf_path(PATH, 0), keccak(deep)]), deep),
        ),
        (
            "extension-no-reference",
            "An extension to nothing.",
            (encoded([leaf_path(PATH[:4], 0), b""]),),
        ),
        ("beyond", "A branch after the end of the key.", beyond()),
    ]
    for name, description, listed in cases:
        yield vector(f"proof-node-{name}", description, "proof.bad-node", under(*listed))


def encoded_string(data: bytes) -> bytes:
    return bytes(rlp.encode(data))


def foreign_leaf() -> bytes:
    return encoded([leaf_path(f"{15 - int(PATH[0], 16):x}" + PATH[1:61]), my_account()])


def beyond() -> tuple[bytes, ...]:
    """63 nibbles in an extension, one in a branch, and then a branch."""
    after = encoded([b""] * 17)
    items: list[object] = [b""] * 17
    items[int(PATH[63], 16)] = rlp.decode(after)  # inside: it has 18 bytes
    return encoded([leaf_path(PATH[:63], 0), keccak(encoded(items))]), encoded(items)


def values() -> Iterator[Vector]:
    """What stands at the end of a path, and is no account or no balance."""
    fields: list[object] = [b"", number(HELD), EMPTY_ROOT, EMPTY_CODE]

    def changed(place: int, value: object) -> bytes:
        return encoded([*fields[:place], value, *fields[place + 1 :]])

    accounts = {
        "fields-3": ("An account of three fields.", encoded(fields[:3])),
        "fields-5": ("An account of five fields.", encoded([*fields, b""])),
        "list": ("An account's field is a list.", changed(3, [b"code"])),
        "nonce-zero": ("A nonce with a leading zero.", changed(0, b"\0")),
        "nonce-long": ("A nonce of 9 bytes.", changed(0, b"\x01" + bytes(8))),
        "balance-zero": ("A balance with a leading zero.", changed(1, b"\0" + number(HELD))),
        "balance-long": ("A balance of 33 bytes.", changed(1, b"\x01" + bytes(32))),
        "root": ("A storage root of 31 bytes.", changed(2, bytes(31))),
        "code": ("A code hash of 33 bytes.", changed(3, bytes(33))),
        "string": ("An account that is a string.", encoded_string(bytes(70))),
        "trailing": ("A byte after an account.", encoded(fields) + b"\0"),
    }
    for name, (description, value) in accounts.items():
        leaf = encoded([leaf_path(PATH), value])
        yield vector(f"proof-account-{name}", description, "proof.bad-value", under(leaf))
    words = {
        "zero": ("A balance of zero that is stored.", b"\x80"),
        "zero-byte": ("A balance that is a zero byte.", b"\0"),
        "leading": ("A balance with a leading zero.", encoded_string(b"\0\x0f\x42\x40")),
        "long": ("A balance of 33 bytes.", encoded_string(b"\x01" + bytes(32))),
        "list": ("A balance that is a list.", encoded([b"\x0f\x42\x40"])),
        "trailing": ("A byte after a balance.", encoded_string(b"\x0f\x42\x40") + b"\0"),
        "spelt": ("A byte in its long form.", b"\x81\x07"),
        "raw": ("A balance that is not encoded.", b"\x0f\x42\x40"),
    }
    for name, (description, value) in words.items():
        yield vector(
            f"proof-word-{name}", description, "proof.bad-value", word_block(value), of="USDT"
        )


def word_block(value: bytes) -> Block:
    """A block in which the token's storage has one entry, of any bytes."""
    key = slot_key(HOLDER, USDT_SLOT)
    leaf = encoded([leaf_path(keccak(key).hex()), value])
    token = encoded([b"", b"", keccak(leaf), EMPTY_CODE])
    accounts = Tree({TOKEN: token, HOLDER: my_account()})
    return Block(
        header(accounts.root, HEIGHT),
        {
            "ETH": sorted(accounts.proof(HOLDER)),
            "USDT": sorted({*accounts.proof(TOKEN), leaf}),
        },
    )


def amounts() -> Iterator[Vector]:
    def more(code: str) -> Callable[[Fields], None]:
        def edit(fields: Fields) -> None:
            amount = int.from_bytes(fields["rows"][0]["amount"], "big")
            fields["rows"][0]["amount"] = (amount + 1).to_bytes(32, "big")

        return edit

    for code in ("ETH", "USDT"):
        yield vector(
            f"proof-amount-{code.lower()}",
            "A base unit more than is proved.",
            "proof.amount-too-large",
            None,
            more(code),
            code,
        )
    gone = World({filler(at): Account(10**18) for at in range(16)})
    yield vector(
        "proof-amount-absent",
        "Coins of an account that does not exist.",
        "proof.amount-too-large",
        Block(header(gone.accounts.root, HEIGHT), {"ETH": gone.nodes((HOLDER, b"", 0))}),
    )


def contracts() -> Iterator[Vector]:
    """Wallets that are contracts: without a node nobody can tell whether they signed."""

    def signed(text: str, form: str = "eip1271") -> Edit:
        return lambda fields: fields["signatures"][0].update(format=form, text=text)

    loose = {"require": "unverified"}
    for name, text in (("", "0x00ff"), ("-empty", "0x"), ("-long", "0x" + "ab" * 8191)):
        yield vector(
            f"contract-wallet{name}",
            "A contract wallet, which nobody asks.",
            None,
            None,
            signed(text),
            policy=loose,
            levels={"ETH": "unverified", "USDT": "header"},
        )
    for name, text in (
        ("plain", "00ff"),
        ("upper", "0xFF"),
        ("odd", "0x0"),
        ("newline", "0x00\n"),
        ("no-hex", "0xzz"),
    ):
        yield vector(
            f"contract-wallet-text-{name}",
            "A contract's signature that is no hex.",
            "evidence.bad-signature",
            None,
            signed(text),
        )
    files = proven(edit=signed("0x00"), of="BTC", specs=[BTC, ETH, TETHER]).forger.bundle()
    yield derived(
        "contract-wallet-bitcoin",
        "A contract's signature for a bitcoin address.",
        "ownership",
        "evidence.unsupported-signature",
        files,
        of="proven",
    )
