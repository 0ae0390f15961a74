"""`python -m crucible`: the command line, as `torchrun -m crucible` starts it in several processes."""

from crucible.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    main()
