"""What wallets call it when they sign a message, and what serves for several chains at once.

The names are those of the makers' own pages and issues of 2025 and 2026: Sparrow, Bitcoin Core and
Trezor Suite (trezor/trezor-suite 23294, 31452), Etherscan, docs.tronlink.org, docs.safe.global,
Ledger Enterprise. Nobody tried them on a device for this list.
"""

from __future__ import annotations

from collections.abc import Collection

from verifier.format.chains import CHAINS, Family

_MENUS = {
    Family.BITCOIN: (
        "Bitcoin Core: File, Sign message (for 1…): bip137",
        "Sparrow, with the device: Tools, Sign/Verify Message, format Standard for 1…, BIP137 "
        "for 3… and bc1q…: bip137; format BIP322 where the device can: bip322",
        "Trezor Suite: the account's menu of three dots, Sign & verify (not for taproot): bip137",
        "multisig, and any device that signs a PSBT: bip322 createpsbt: bip322",
    ),
    Family.EVM: (
        "MetaMask, Rabby: no menu of their own; Verified Signatures, Sign Message, of Etherscan "
        "asks them (personal_sign): eip191",
        "Trezor Suite: the account's menu of three dots, Sign & verify: eip191",
        "Ledger: through MetaMask or Rabby, or cast wallet sign --ledger: eip191",
        "Ledger Enterprise: New transaction, Sign message: eip191",
        "Safe: signMessage by WalletConnect; then Transactions, Messages: eip1271, chain by chain",
    ),
    Family.TRON: (
        "TronLink: no menu of its own; a page calls tronWeb.trx.signMessageV2 with the text, and "
        "TronLink shows a signature request, in hex (signMessage, without V2, serves nobody): "
        "tip191",
        "Ledger: through TronLink: tip191",
    ),
}


def menus(chain: str) -> tuple[str, ...]:
    """Return for each wallet what it calls to sign a chain's message, and the format it makes."""
    return _MENUS.get(CHAINS[chain].family, ())


def shared_signature(chains: Collection[str]) -> str:
    """Say which of a snapshot's messages one signature an account serves, if it has several."""
    evm = [chain for chain in sorted(chains) if CHAINS[chain].family is Family.EVM]
    if len(evm) < 2:
        return ""
    first = "ethereum" if "ethereum" in evm else evm[0]
    others = ", ".join(chain for chain in evm if chain != first)
    return (
        f"an account signs once for all EVM chains: sign the message of {first}, and put the "
        f"signature on one row of the account; its rows on {others} need none, or name it as "
        f"eip191@{first}. A contract wallet signs the message of each chain"
    )
