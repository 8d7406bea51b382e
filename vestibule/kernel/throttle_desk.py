#!/usr/bin/env python3
"""ThrottleDesk: what an operator sees and changes of what is counted."""

from datetime import datetime, timedelta
from typing import Any, Dict, List, NamedTuple, Optional

from vestibule.base.origin import LIBRARY, Origin
from vestibule.kernel.audit import Audit
from vestibule.kernel.mail_box import BOX_LIMIT, MailBox
from vestibule.kernel.outbox import LIMITED
from vestibule.kernel.throttle import Throttle
from vestibule.kernel.throttle_keys import limit_of, network_of
from vestibule.store.db import DB
from vestibule.store.failure import (
    UNKNOWN_DEVICES, Failure, FailureStore, Holder)

FAILURES = "failures"


class Whose(NamedTuple):
    """Whose tries are meant: of an address, an identifier, or everybody.

    ``identifier`` is in its one spelling; nobody needs to have it. Without
    either it is what all use up together.
    """

    ip: Optional[str] = None
    identifier: str = ""
    user_id: Optional[str] = None


class Use(NamedTuple):
    """How much of a limit is used, and until when that counts.

    ``ends_at`` is ``None`` for failures, which no time takes away.
    ``device`` says which known device or session is counted, if it is one,
    and ``kind`` of which kind letters are.
    """

    name: str
    used: int
    most: int
    ends_at: Optional[datetime] = None
    device: Optional[str] = None
    lifted: bool = False
    kind: Optional[str] = None

    @property
    def shut(self) -> bool:
        """Say whether nothing more is let through."""
        return not self.lifted and self.used >= self.most


class ThrottleDesk:
    """The operator's verbs on what the throttle has counted."""

    def __init__(self, db: DB, throttle: Throttle, audit: Audit) -> None:
        """Work on what this throttle counts."""
        self._db = db
        self._throttle = throttle
        self._audit = audit
        self._failures = FailureStore(db)
        self._box = MailBox(db, throttle)

    def uses(self, whose: Whose) -> List[Use]:
        """Return every limit of which something is used now."""
        named = self._devices_by_key(whose)
        windows = self._throttle.attempts.windows(
            list(named), self._db.clock.now())
        uses = []
        for key, device in named.items():
            budget = self._throttle.limits.budget(limit_of(key))
            if key in windows and budget is not None:
                found = windows[key]
                uses.append(Use(
                    limit_of(key), max(0, found.used), budget.most,
                    found.ends_at, device, found.lifted))
        most = self._throttle.limits.failures
        if most is not None:
            uses += [Use(FAILURES, failure.count, most,
                         device=failure.device or None)
                     for failure in self._failures_of(whose)]
        return uses + self._letters_of(whose)

    def forget(self, whose: Whose, origin: Origin = LIBRARY) -> List[Use]:
        """Give all tries back, end what was lifted; return what was used.
        """
        with self._db.transaction():
            uses = self.uses(whose)
            self._throttle.attempts.forget(list(self._devices_by_key(whose)))
            if whose.identifier:
                self._box.forget(whose.identifier)
                self._failures.forget(self._holder(whose).name)
            self._record("throttle.reset", whose, origin,
                         limits=sorted({use.name for use in uses}))
        return uses

    def lift(self, whose: Whose, time: timedelta,
             origin: Origin = LIBRARY) -> datetime:
        """Let everything of theirs through for a time; return its end.

        But for failures: a password that was guessed wrong a hundred times
        in a row has to be changed, or the right one found.
        """
        ends_at = self._db.clock.now() + time
        with self._db.transaction():
            self._throttle.attempts.lift(
                list(self._devices_by_key(whose)), ends_at)
            if whose.identifier:
                self._box.lift(whose.identifier, ends_at)
            self._record("throttle.lifted", whose, origin,
                         seconds=int(time.total_seconds()))
        return ends_at

    def _devices_by_key(self, whose: Whose) -> Dict[str, Optional[str]]:
        """Return all keys that are counted, with the device of each.

        Known devices and sessions are found by their failures: each wrong
        password leaves both, and a right one takes both away.
        """
        keys = self._throttle.keys
        if whose.ip is not None:
            return dict.fromkeys(keys.of_address(whose.ip))
        if not whose.identifier:
            return dict.fromkeys(keys.of_everybody())
        found = dict.fromkeys(keys.of_identifier(whose.identifier))
        if whose.user_id is not None:
            for failure in self._failures_of(whose):
                if failure.device != UNKNOWN_DEVICES:
                    key = keys.of_device(whose.user_id, failure.device)
                    found[key] = failure.device
        return found

    def _failures_of(self, whose: Whose) -> List[Failure]:
        """Return what failed in a row, those of strangers first."""
        if not whose.identifier:
            return []
        return [failure for failure
                in self._failures.of_user(self._holder(whose).name)
                if failure.count > 0]

    def _letters_of(self, whose: Whose) -> List[Use]:
        """Return how many letters of a kind went to an identifier."""
        budget = self._box.budget
        if not whose.identifier or budget is None:
            return []
        return [Use(BOX_LIMIT, use.used,
                    LIMITED.get(use.kind) or budget.most, use.ends_at,
                    lifted=use.lifted, kind=use.kind or None)
                for use in self._box.uses(whose.identifier)
                if use.lifted or use.kind in LIMITED]

    def _holder(self, whose: Whose) -> Holder:
        """Return under which name the failures are counted."""
        return self._throttle.keys.holder(whose.identifier, whose.user_id)

    def _record(self, what: str, whose: Whose, origin: Origin,
                **detail: Any) -> None:
        """Write down what was done, and for whom."""
        if whose.ip is not None:
            self._audit.record(what, None, None, origin,
                               address=network_of(whose.ip), **detail)
            return
        if not whose.identifier:
            self._audit.record(what, None, None, origin, **detail)
            return
        target = whose.user_id or self._audit.masked(whose.identifier)
        self._audit.record(what, whose.user_id, target, origin, **detail)
