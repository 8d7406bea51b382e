#!/usr/bin/env python3
"""MailBox: how many letters of a kind anybody may cause to one address.

The letters themselves are what is counted. What an operator does about it is
a mark among the tries: that the limit is lifted, or from when on it counts.
"""

from datetime import datetime
from typing import List, NamedTuple, Optional

from vestibule.base.limits import MOST_TRIES, Budget
from vestibule.kernel.throttle import Throttle
from vestibule.store.attempt import Wanted, Window
from vestibule.store.db import DB
from vestibule.store.letter import LetterStore

BOX_LIMIT = "mail_box"


class BoxUse(NamedTuple):
    """How many letters of a kind were written to an address lately.

    ``ends_at`` is when the last of them counts no more. Where the limit is
    lifted it is when that ends, and ``kind`` is empty, for all are.
    """

    kind: str
    used: int
    ends_at: datetime
    lifted: bool = False


class MailBox:
    """Counts the letters to one address, which nobody needs to have."""

    def __init__(self, db: DB, throttle: Throttle) -> None:
        """Keep within this throttle's limit, and its marks among its tries.
        """
        self._db = db
        self._throttle = throttle
        self._letters = LetterStore(db)
        self.budget = throttle.limits.mail_box

    def allows(self, kind: str, recipient: str,
               most: Optional[int] = None) -> bool:
        """Say whether one more such letter may be written now.

        Nobody else writes one until the open transaction ends. ``most`` is
        for those of which fewer are enough. The mark is looked for where
        the limit is used up only, for known and unknown addresses alike.
        """
        if self.budget is None:
            return True
        most = most or self.budget.most
        self._letters.lock_recipient(recipient)
        since = self._since(self.budget)
        if self._letters.count_since(kind, recipient, since) < most:
            return True
        mark = self._mark(recipient)
        if mark is None or mark.lifted:
            return mark is not None
        since = self._since(self.budget, mark)
        return self._letters.count_since(kind, recipient, since) < most

    def uses(self, recipient: str) -> List[BoxUse]:
        """Return what was written to an address that counts, by kind."""
        if self.budget is None:
            return []
        mark = self._mark(recipient)
        written = self._letters.written_since(
            recipient, self._since(self.budget, mark))
        if mark is not None and mark.lifted:
            used = max((each.number for each in written), default=0)
            return [BoxUse("", used, mark.ends_at, lifted=True)]
        return [BoxUse(each.kind, each.number,
                       each.last_at + self.budget.window)
                for each in written]

    def forget(self, recipient: str) -> None:
        """Count what is written from now on; what was lifted is so no more.
        """
        key = self._key(recipient)
        self._throttle.attempts.forget([key])
        if self.budget is not None:
            self._throttle.attempts.reserve(
                [Wanted(key, Budget(MOST_TRIES, self.budget.window))],
                self._db.clock.now())

    def lift(self, recipient: str, ends_at: datetime) -> None:
        """Let any number of letters be written until then."""
        self._throttle.attempts.lift([self._key(recipient)], ends_at)

    def _since(self, budget: Budget,
               mark: Optional[Window] = None) -> datetime:
        """Return from when on letters count, which a mark may put off."""
        since = self._db.clock.now() - budget.window
        if mark is None or mark.lifted:
            return since
        return max(since, mark.ends_at - budget.window)

    def _mark(self, recipient: str) -> Optional[Window]:
        """Return what an operator has left for this address, if it is on.

        It is a try like any other, made as it was reset.
        """
        key = self._key(recipient)
        return self._throttle.attempts.windows(
            [key], self._db.clock.now()).get(key)

    def _key(self, recipient: str) -> str:
        """Return the key of the mark."""
        return self._throttle.keys.key(BOX_LIMIT, recipient)
