"""``python -m verifier.cluster``: print where the settings of Dask are, for ``DASK_CONFIG``."""

from __future__ import annotations

from pathlib import Path

if __name__ == "__main__":
    print(Path(__file__).with_name("dask.yaml"))
