"""The command line, ``assay-verify``, and what it prints."""
