"""The prover's command line alone."""

from prover.commands.cli import main

if __name__ == "__main__":
    main()
