#!/usr/bin/env python3
"""The secret key of the development profile: made once, beside the database.
"""

import os
import tempfile
from pathlib import Path

from vestibule.base.digest import new_secret


def development_key(data_file: Path) -> str:
    """Return the key that lies beside this file, made where there is none.

    Only its owner can read it. Of two processes that make it at once, one
    makes it and both use it.
    """
    path = data_file.with_suffix(".key")
    if not path.exists():
        handle, draft = tempfile.mkstemp(
            prefix=f"{path.name}.", dir=str(path.parent))
        with open(handle, "w") as file:
            file.write(new_secret())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            os.unlink(draft)
    return path.read_text(encoding="ascii").strip()
