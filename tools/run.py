#!/usr/bin/env python3
"""What `make run` starts: the service with the settings of a developer.

A variable of the real environment wins over a line of ``.env``, and both win
over the development profile, which is chosen here and nowhere else.
"""

import os
from typing import NoReturn

import dotenv


def main() -> NoReturn:
    """Become ``vestibule serve``.

    This process is replaced, not kept as a parent, so that Ctrl-C and other
    signals reach the server alone and its exit status is ours.
    """
    dotenv.load_dotenv(".env", override=False)
    os.environ.setdefault("VESTIBULE_PROFILE", "development")
    os.execvp("vestibule", ["vestibule", "serve"])


if __name__ == "__main__":
    main()
