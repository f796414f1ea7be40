"""The prover: from a ledger and evidence of assets to a bundle."""
