"""Serve a bundle: ``python -m api BUNDLE [--host ADDRESS] [--port N]``."""

from __future__ import annotations

import argparse
from pathlib import Path

import uvicorn

from api.app import Settings, create_app


def main() -> None:
    """Serve the bundle until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m api", description="Serve a published bundle.")
    parser.add_argument("bundle", type=Path, help="the bundle's folder")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on; 0 picks one")
    arguments = parser.parse_args()
    if not arguments.bundle.is_dir():
        parser.error(f"not a folder: {arguments.bundle}")
    uvicorn.run(
        create_app(Settings(bundle=arguments.bundle)), host=arguments.host, port=arguments.port
    )


if __name__ == "__main__":
    main()
