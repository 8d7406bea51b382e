#!/usr/bin/env python3
"""Pending: what a user was mailed, or is about to be, and may yet spend."""

from datetime import datetime
from typing import Dict, Tuple

from vestibule.kernel.one_time_tokens import (
    CHANGE_EMAIL, RESET, UNDO, VERIFY, OneTimeTokens)
from vestibule.kernel.outbox import (
    CHANGE_EMAIL_LETTER, EMAIL_CHANGED_LETTER, PASSWORD_CHANGED_LETTER,
    Outbox)

# Which letters bring tokens of a purpose whatever becomes of the user
# meanwhile. Those for a reset and a first verification are looked into again
# as they are sent, and go to the user's own address or to nobody.
BROUGHT_BY: Dict[str, Tuple[str, ...]] = {
    RESET: (), VERIFY: (), CHANGE_EMAIL: (CHANGE_EMAIL_LETTER,),
    UNDO: (EMAIL_CHANGED_LETTER, PASSWORD_CHANGED_LETTER)}
EVERYTHING = tuple(BROUGHT_BY)


class Pending:
    """Voids tokens together with the letters that would bring more of them.

    Whoever calls holds the user's lock, and so does the delivery when it
    issues a token: nothing slips through between the two.
    """

    def __init__(self, tokens: OneTimeTokens, outbox: Outbox) -> None:
        """Void what these two hold."""
        self._tokens = tokens
        self._outbox = outbox

    def void(self, user_id: str, *purposes: str) -> None:
        """Make useless what the user could still spend for these purposes.
        """
        for purpose in purposes:
            self._tokens.revoke_all(user_id, purpose)
            self._outbox.withdraw(user_id, *BROUGHT_BY[purpose])

    def void_undos_since(self, user_id: str, changed_at: datetime) -> None:
        """Make the undos of changes of this instant and later useless."""
        self._tokens.revoke_undos_since(user_id, changed_at)
        self._outbox.withdraw(user_id, *BROUGHT_BY[UNDO], since=changed_at)
