#!/usr/bin/env python3
"""What ``vestibule`` and ``python3 -m vestibule`` run."""

from vestibule.base.deferred import Deferred
from vestibule.base.interrupts import left_to_the_system

program = Deferred("vestibule.cli.main")


def main() -> None:
    """Load the program, run the command that is named, end the process.

    Loading takes most of a second, in which Ctrl-C has to be obeyed.
    """
    with left_to_the_system():
        run = program.main
    run()


if __name__ == "__main__":
    main()
