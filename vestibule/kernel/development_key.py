#!/usr/bin/env python3
"""The secret key of the development profile: made once, beside the database.
"""

import os
from pathlib import Path

from vestibule.base.digest import new_secret


def development_key(data_file: Path) -> str:
    """Return the key that lies beside this file, made where there is none.

    Only its owner can read it. Of two processes that make it at once, one
    makes it and both use it.
    """
    path = data_file.with_suffix(".key")
    draft = data_file.with_suffix(f".key.{os.getpid()}")
    if not path.exists():
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
        with open(os.open(draft, flags, 0o600), "w") as file:
            file.write(new_secret())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            os.unlink(draft)
    return path.read_text(encoding="ascii").strip()
