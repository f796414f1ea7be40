"""The command line, ``assay``, and its progress bar."""
