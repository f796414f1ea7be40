"""The table of names: what other exchanges call networks and assets, and what Assay calls them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from verifier.format.chains import CHAINS, Family


@dataclass(frozen=True, slots=True)
class Network:
    """A network of the table.

    ``family`` is that whose rules its signatures follow, None where they cannot be checked here;
    ``chain`` is empty where Assay proves no assets on it. One that is not ``listed`` has the name
    that a list gives it.
    """

    name: str
    family: Family | None
    chain: str
    listed: bool = True


def network(name: str) -> Network:
    """Return a network by Assay's own name for it.

    Raises:
        KeyError: there is none.
    """
    if name in CHAINS:
        return Network(name, CHAINS[name].family, name)
    table = _table()["networks"]
    if name in table["evm"]:
        return Network(name, Family.EVM, "")
    if name in table["unread"]:
        return Network(name, None, "")
    raise KeyError(name)


def okx_place(coin: str, network_name: str) -> tuple[str, Network] | str:
    """Return asset and network of a row of OKX's, or why they cannot be told."""
    table = _table()["okx"]
    named = table["networks"].get(network_name.upper())
    if coin.upper() in table["coins"]:
        asset, place = table["coins"][coin.upper()]
        if named not in (None, place):
            return "its coin and its network are two networks"
        return asset, network(place)
    if named is None:
        return coin.upper(), Network(network_name, None, "", listed=False)
    return coin.upper(), network(named)


def okx_asset(coin: str) -> str:
    """Return the asset of a name of the column ``coin``."""
    entry = _table()["okx"]["coins"].get(coin.upper())
    return str(entry[0]) if entry else coin.upper()


def is_okx_coin(coin: str) -> bool:
    """Tell whether a name of the column ``coin`` is an asset's own, or one of the table."""
    return "-" not in coin or coin.upper() in _table()["okx"]["coins"]


def bitmex_network(chain: str) -> Network | None:
    """Return the network of a list of BitMEX's, or None where the table has none."""
    name = _table()["bitmex"]["chains"].get(chain)
    return None if name is None else network(name)


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(files("prover.imports").joinpath("names.toml").read_text("utf-8"))
