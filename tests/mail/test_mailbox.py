#!/usr/bin/env python3
"""The development mailbox: a folder that keeps letters and shows them."""

import mailbox
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import List

import pytest

from tests.mail.samples import DATE, HOSTILE_NAMES, LINK, SAMPLE
from vestibule.mail.mailbox import KEPT, MailboxMailer
from vestibule.mail.message import MailRefused, MailUnavailable

SENDS_TEN = """
import sys
from datetime import datetime, timezone
from vestibule.mail.mailbox import MailboxMailer
from vestibule.mail.message import Message
box = MailboxMailer(sys.argv[1])
for number in range(10):
    box.send(Message(sys.argv[2], f"letter {number}", "text", "<p>html</p>",
                     f"<{number}@example.org>", datetime.now(timezone.utc)))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return where the mailbox will be; it does not exist yet."""
    return tmp_path / "var" / "mailbox"


@pytest.fixture
def box(folder: Path) -> MailboxMailer:
    """Return an empty mailbox."""
    return MailboxMailer(str(folder))


def subjects(box: MailboxMailer) -> List[str]:
    """Return the subjects of all letters, as they are listed."""
    return [letter.subject for letter in box.letters()]


def test_a_letter_is_shown_as_it_was_written(box: MailboxMailer) -> None:
    """Every field, and the links of the text."""
    box.send(SAMPLE._replace(subject="Passw\u00f6rter, \u4e2d\u6587"))
    [letter] = box.letters()
    assert letter.to == "jo@example.org"
    assert letter.subject == "Passw\u00f6rter, \u4e2d\u6587"
    assert letter.text == SAMPLE.text
    assert letter.html == SAMPLE.html
    assert letter.date == DATE
    assert letter.message_id == SAMPLE.message_id
    assert letter.links == (LINK,)
    assert box.letter(letter.id) == letter


def test_links_end_where_the_sentence_does(box: MailboxMailer) -> None:
    """A full stop, a bracket or a quotation mark is no part of a link."""
    box.send(SAMPLE._replace(
        text='See (http://a.example/x?y=1&z=2), <https://b.example/_->.\n'))
    assert box.letters()[0].links == (
        "http://a.example/x?y=1&z=2", "https://b.example/_-")


def test_the_newest_letter_comes_first_whatever_its_date_says(
        box: MailboxMailer) -> None:
    """The order is that of arrival."""
    for number in range(12):
        box.send(SAMPLE._replace(subject=f"letter {number}",
                                 date=DATE - timedelta(days=number)))
    assert subjects(box) == [f"letter {number}"
                             for number in reversed(range(12))]


def test_only_the_newest_letters_are_kept(box: MailboxMailer) -> None:
    """A mailbox that nobody empties does not grow for ever."""
    for number in range(KEPT + 3):
        box.send(SAMPLE._replace(subject=f"letter {number}"))
    found = subjects(box)
    assert len(found) == KEPT == 200
    assert (found[0], found[-1]) == (f"letter {KEPT + 2}", "letter 3")


def test_only_the_owner_can_read_the_folder(
        box: MailboxMailer, folder: Path) -> None:
    """The letters carry the keys to accounts, so nobody else gets in."""
    box.send(SAMPLE)
    made = [folder] + [path for path in folder.iterdir() if path.is_dir()]
    assert [path.stat().st_mode & 0o777 for path in made] == [0o700] * 4


def test_an_empty_or_half_made_folder_is_completed(folder: Path) -> None:
    """An operator may have made it, or a start may have been cut short."""
    (folder / "new").mkdir(parents=True)
    box = MailboxMailer(str(folder))
    assert box.letters() == []
    box.send(SAMPLE)
    assert len(box.letters()) == 1


def test_any_mail_program_can_read_the_folder(
        box: MailboxMailer, folder: Path) -> None:
    """It is a Maildir, and its lines end as files' lines do."""
    box.send(SAMPLE)
    [letter] = mailbox.Maildir(str(folder))
    assert letter["Subject"] == SAMPLE.subject
    [path] = (folder / "new").iterdir()
    assert b"\r" not in path.read_bytes()


def test_several_processes_share_the_mailbox(
        box: MailboxMailer, folder: Path) -> None:
    """No letter is lost, also when they all start by making the folder."""
    workers = [
        subprocess.Popen([sys.executable, "-c", SENDS_TEN, str(folder),
                          f"p{number}@example.org"])
        for number in range(3)]
    assert [worker.wait(60) for worker in workers] == [0, 0, 0]
    received = [letter.to for letter in box.letters()]
    assert sorted(received) == sorted(
        f"p{number}@example.org" for number in range(3) for _ in range(10))


def test_several_threads_share_the_mailbox(box: MailboxMailer) -> None:
    """Writing, dropping and reading at once disturb nobody."""
    def send_and_read(number: int) -> int:
        """Send a letter, and count those there are."""
        box.send(SAMPLE._replace(subject=f"letter {number}"))
        return len(box.letters())

    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(send_and_read, range(24)))
    assert min(counts) >= 1
    assert len(box.letters()) == 24


def test_a_letter_that_vanishes_is_not_there(
        box: MailboxMailer, folder: Path) -> None:
    """Neither when asked for, nor for a listing that had begun."""
    box.send(SAMPLE)
    box.send(SAMPLE._replace(subject="stays"))
    gone = box.letters()[1]
    os.remove(folder / "new" / gone.id)
    assert box.letter(gone.id) is None
    assert subjects(box) == ["stays"]
    # A name without a file behind it: gone between listing and reading.
    os.symlink(folder / "nowhere", folder / "new" / gone.id)
    assert box.letter(gone.id) is None
    assert subjects(box) == ["stays"]


@pytest.mark.parametrize("letter_id", [
    "", ".", "..", "../../secret", "/etc/passwd", "new", "nobody\0",
    "..\\secret", "%2e%2e", "x" * 5000, "\ud800", "*", "\u00e9\n"])
def test_an_id_cannot_lead_out_of_the_mailbox(
        box: MailboxMailer, folder: Path, letter_id: str) -> None:
    """An id that is none finds nothing, and raises nothing."""
    box.send(SAMPLE)
    (folder.parent.parent / "secret").write_text("Subject: secret\n\nx")
    assert box.letter(letter_id) is None


def test_files_of_others_do_not_disturb(
        box: MailboxMailer, folder: Path) -> None:
    """What somebody else dropped there is not shown, nor an error."""
    box.send(SAMPLE)
    (folder / "new" / "notes").write_bytes(b"\xff\xfe no letter")
    (folder / "cur" / "1.M1P1Q1.x:2,S").write_text("Subject: hello\n\nx\n")
    (folder / "new" / "subfolder").mkdir()
    assert subjects(box) == [SAMPLE.subject]
    assert box.letter("notes") is None


def test_what_a_server_would_be_refused_is_refused_here_too(
        box: MailboxMailer) -> None:
    """Development is no place where two recipients work."""
    with pytest.raises(MailRefused):
        box.send(SAMPLE._replace(to="jo@example.org,eve@example.org"))
    assert box.letters() == []


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_hostile_service_name_is_only_text(
        folder: Path, name: str) -> None:
    """The file has the headers that it should have."""
    MailboxMailer(str(folder), f"{name} <accounts@example.org>").send(
        SAMPLE._replace(subject=f"Password for {name}"))
    [path] = (folder / "new").iterdir()
    head = path.read_bytes().split(b"\n\n")[0]
    assert b"\nBcc" not in head
    assert head.count(b"\nTo: jo@example.org\n") == 1


def test_a_folder_that_cannot_be_written_is_tried_again_later(
        tmp_path: Path) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "mailbox").write_text("in the way")
    with pytest.raises(MailUnavailable, match="the mailbox folder"):
        MailboxMailer(str(tmp_path / "mailbox")).send(SAMPLE)
