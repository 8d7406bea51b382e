#!/usr/bin/env python3
"""LetterWriter: what stands in a letter, found out as it is sent.

Tokens are issued here, into the letter itself, while the user's lock is
held: so none lies about in a queue, and what was true when the letter was
asked for is looked at again.
"""

from datetime import timedelta
from typing import Callable, Dict, NamedTuple, Optional

from vestibule.kernel.addresses import Addresses
from vestibule.kernel.one_time_tokens import (
    CHANGE_EMAIL, CODE_LIFETIME, LIFETIMES, RESET, UNDO, VERIFY, Mailed,
    OneTimeTokens)
from vestibule.kernel.outbox import (
    ALREADY_REGISTERED_LETTER, CHANGE_EMAIL_LETTER,
    DELETION_ANNOUNCED_LETTER, EMAIL_CHANGED_LETTER, PASSWORD_CHANGED_LETTER,
    RESET_LETTER, SUPERSEDING, VERIFY_LETTER)
from vestibule.mail.letters import LetterContext
from vestibule.mail.message import message_id
from vestibule.store.db import DB, NoResultFound, User
from vestibule.store.letter import Letter, LetterStore

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class Letterhead(NamedTuple):
    """Who letters come from, and where their links lead to."""

    service_name: str
    base_url: str
    support: Optional[str] = None


class LetterWriter:
    """Fills in letters, or finds that there is no reason to send one."""

    def __init__(self, db: DB, tokens: OneTimeTokens,
                 letterhead: Letterhead) -> None:
        """Write to the users of this database."""
        self._db = db
        self._tokens = tokens
        self._letterhead = letterhead
        self._letters = LetterStore(db)
        self._addresses = Addresses(db)
        self._fill: Dict[str, Callable[
            [Letter, LetterContext, User], Optional[LetterContext]]] = {
                RESET_LETTER: self._reset,
                VERIFY_LETTER: self._verify,
                CHANGE_EMAIL_LETTER: self._change_email,
                EMAIL_CHANGED_LETTER: self._undo,
                PASSWORD_CHANGED_LETTER: self._undo,
                ALREADY_REGISTERED_LETTER: self._already_registered,
                DELETION_ANNOUNCED_LETTER: self._deletion_announced}

    def write(self, letter: Letter) -> Optional[LetterContext]:
        """Return what the letter says, ``None`` if it is not to be sent.

        It goes to the address that was stored with it, which has to be the
        user's own where it speaks of an account (requirement R054).
        """
        plain = self._plain(letter)
        fill = self._fill.get(letter.kind)
        if fill is None:
            return plain
        if letter.kind in SUPERSEDING and self._letters.has_newer(letter):
            return None
        user_id = letter.user_id or self._owner_of(letter.recipient)
        if user_id is None:
            return None
        with self._db.transaction():
            user = self._db.lock_user(user_id)
            if (user is None or user.disabled_at is not None
                    or self._is_leaving(user, letter.kind)
                    or not self._letters.is_queued(letter.id)):
                return None
            return fill(letter, plain, user)

    def _plain(self, letter: Letter) -> LetterContext:
        """Return what every letter may speak of."""
        return LetterContext(
            to=letter.recipient, date=self._db.clock.now(),
            message_id=message_id(letter.id, self._letterhead.base_url),
            service_name=self._letterhead.service_name,
            base_url=self._letterhead.base_url,
            support=self._letterhead.support)

    def _owner_of(self, address: str) -> Optional[str]:
        """Return the id of the user with this address, if there is one."""
        try:
            return self._db.find_user_by(email=address).id
        except NoResultFound:
            return None

    def _reset(self, letter: Letter, plain: LetterContext,
               user: User) -> Optional[LetterContext]:
        """Issue a reset token, in the place of every token mailed before."""
        if user.email != letter.recipient:
            return None
        self._tokens.revoke_superseded(user.id, RESET, letter.created_at)
        mailed = self._tokens.issue_with_code(
            user.id, RESET, letter.recipient)
        return self._with_code(plain, "reset", mailed)._replace(
            minutes=LIFETIMES[RESET] // MINUTE)

    def _verify(self, letter: Letter, plain: LetterContext,
                user: User) -> Optional[LetterContext]:
        """Issue a token that proves the address, where that is not done."""
        if (user.email != letter.recipient
                or user.email_verified_at is not None):
            return None
        self._tokens.revoke_all(user.id, VERIFY)
        mailed = self._tokens.issue_with_code(
            user.id, VERIFY, letter.recipient)
        return self._with_code(plain, "verify", mailed)._replace(
            hours=LIFETIMES[VERIFY] // HOUR)

    def _change_email(self, letter: Letter, plain: LetterContext,
                      user: User) -> Optional[LetterContext]:
        """Issue a token bound to the new address, if that is free still."""
        if not self._addresses.is_free(letter.recipient, user.id):
            return None
        self._tokens.revoke_all(user.id, CHANGE_EMAIL)
        mailed = self._tokens.issue_with_code(
            user.id, CHANGE_EMAIL, letter.recipient)
        return self._with_code(plain, "verify", mailed)._replace(
            hours=LIFETIMES[CHANGE_EMAIL] // HOUR)

    def _undo(self, letter: Letter, plain: LetterContext,
              user: User) -> Optional[LetterContext]:
        """Issue a token that undoes the change which the letter reports.

        An address that the user left is kept free for as long. One that is
        not kept cannot be put back: it was never proved to be the user's,
        or was left too long ago.
        """
        if letter.recipient != user.email:
            if not self._addresses.is_kept(letter.recipient, user.id):
                return None
            self._addresses.keep(letter.recipient, user.id,
                                 self._db.clock.now() + LIFETIMES[UNDO])
        secret = self._tokens.issue(
            user.id, UNDO, letter.recipient, letter.created_at)
        return plain._replace(
            link=self._link("undo", secret), days=LIFETIMES[UNDO] // DAY)

    def _already_registered(self, letter: Letter, plain: LetterContext,
                            user: User) -> Optional[LetterContext]:
        """Tell an owner that somebody tried to register their address."""
        return plain if user.email == letter.recipient else None

    def _deletion_announced(self, letter: Letter, plain: LetterContext,
                            user: User) -> Optional[LetterContext]:
        """Tell an owner until when there is a way back, if it is needed."""
        if user.delete_after is None or user.email != letter.recipient:
            return None
        return plain._replace(until=user.delete_after)

    def _is_leaving(self, user: User, kind: str) -> bool:
        """Say whether a pending deletion leaves no reason for a letter.

        What helps an owner to get the account back is sent until the end.
        """
        return user.is_gone(self._db.clock.now()) or (
            user.delete_after is not None
            and kind in (VERIFY_LETTER, CHANGE_EMAIL_LETTER))

    def _with_code(self, plain: LetterContext, page: str,
                   mailed: Mailed) -> LetterContext:
        """Return a letter with a link to a page of ours, and a code."""
        return plain._replace(
            link=self._link(page, mailed.secret), code=mailed.code,
            code_minutes=CODE_LIFETIME // MINUTE)

    def _link(self, page: str, secret: str) -> str:
        """Return a link, from the configured base URL alone (R055)."""
        return f"{self._letterhead.base_url}/{page}?token={secret}"
