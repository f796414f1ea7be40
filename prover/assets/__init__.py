"""Assets: addresses, their ownership signatures, and the evidence made of both."""
