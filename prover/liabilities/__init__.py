"""The liabilities side of a snapshot: leaves, their order, and the pages that commit to them."""
