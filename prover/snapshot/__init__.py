"""One snapshot from its TOML to a bundle and packages, in a folder of its own."""
