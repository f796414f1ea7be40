"""The checks of what the exchange signed, each of one part, in the order of spec/errors.md."""
