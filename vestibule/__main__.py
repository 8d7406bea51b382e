#!/usr/bin/env python3
"""Makes ``python3 -m vestibule`` the same as ``vestibule``."""

from vestibule.cli.main import main

if __name__ == "__main__":
    main()
