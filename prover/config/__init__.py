"""What an operator writes: the snapshot TOML, and what is announced and declared of it."""
