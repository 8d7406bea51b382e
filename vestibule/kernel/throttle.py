#!/usr/bin/env python3
"""Throttle: how often one may try, before anything costly is done.

Every try is counted before it is judged, so that any number of tries at once
are as many as the budget says and no more (Better Auth #9993). What is not
known counts like what is, and a refusal costs no hash.
"""

import math
from datetime import datetime
from typing import Dict, NamedTuple, Optional, Tuple

from vestibule.base.errors import ClientLeft, Quota, Throttled
from vestibule.base.limits import UNLIMITED, Limits
from vestibule.base.origin import Origin
from vestibule.base.texts import rfc3339
from vestibule.kernel.devices import KnownDevices
from vestibule.kernel.throttle_keys import (
    DEVICE_LIMIT, ThrottleKeys, limit_of, network_of)
from vestibule.store.attempt import (
    AttemptStore, DatabaseAttempts, Exhausted, Wanted)
from vestibule.store.db import DB
from vestibule.store.failure import (
    UNKNOWN_DEVICES, FailureStore, Holder)
from vestibule.store.tables import EPOCH


class Try(NamedTuple):
    """A password about to be tried, counted under these keys at an instant.

    ``own`` are the keys that a success clears, ``shared`` the others. With
    too many failures before, it is not ``allowed``: whoever made it is told
    what a wrong password is told.
    """

    own: Tuple[Wanted, ...] = ()
    shared: Tuple[Wanted, ...] = ()
    counted_at: datetime = EPOCH
    holder: Optional[Holder] = None
    device: str = UNKNOWN_DEVICES
    allowed: bool = True


class Throttle:
    """Counts tries by address, by identifier and by known device."""

    def __init__(self, db: DB, key: str = "", limits: Limits = UNLIMITED,
                 attempts: Optional[AttemptStore] = None) -> None:
        """Keep within these limits, counted in the database or elsewhere.

        ``key`` is the secret key: no row shows whom it is about.
        """
        self.limits = limits
        self.devices = KnownDevices(key)
        self._db = db
        self.keys = ThrottleKeys(key)
        self.attempts = attempts or DatabaseAttempts(db)
        self._failures = FailureStore(db)

    def begin(self, identifier: str, user_id: Optional[str],
              origin: Origin) -> Try:
        """Count a password that is about to be tried.

        ``identifier`` is what was typed, in its one spelling; ``user_id``
        is of the user who has it, if any. A known device and a live session
        have a budget of their own and need no other, so that nobody else
        can use theirs up. Raises ``Throttled``, and then nothing is counted.
        """
        if not _is_request(origin):
            return Try()
        device = self.devices.behind(origin, user_id)
        if device is None:
            own = self._wanted("password_identifier", identifier)
            shared = self._wanted("password_address", network_of(origin.ip))
        else:
            own = self._wanted(DEVICE_LIMIT, f"{user_id} {device}")
            shared = {}
        begun = Try(tuple(own.values()), tuple(shared.values()),
                    self._db.clock.now(),
                    self.keys.holder(identifier, user_id),
                    device or UNKNOWN_DEVICES)
        with self._db.transaction():
            self._reserve({**own, **shared}, begun.counted_at)
            return begun._replace(allowed=self._add_failure(begun))

    def fail(self, tried: Try) -> None:
        """Note that the password was wrong: everything stays counted."""
        self.attempts.settle(
            [each.key for each in tried.own + tried.shared])

    def succeed(self, tried: Try) -> None:
        """Note that the password was right: what the user counted is over.

        An address gets this one try back, so that an office can sign in,
        and no other: whoever has one password could guess others for ever
        (requirement R076). A known device lets those in again that are not
        known.
        """
        with self._db.transaction():
            # In the order in which ``begin`` locks the rows: those of
            # addresses, then those of identifiers, then failures.
            self.attempts.withdraw(tried.shared, tried.counted_at)
            self.attempts.clear([each.key for each in tried.own])
            if tried.holder is not None:
                for device in sorted({tried.device, UNKNOWN_DEVICES}):
                    self._failures.forget(tried.holder.name, device)

    def withdraw(self, tried: Try, by: BaseException) -> None:
        """Forget a try that was counted, and was not made for this error.

        With ``ClientLeft`` the address has used a try all the same, or else
        the known device: to come and to go is written down each time, and
        nothing else would bound that.
        """
        if not tried.own + tried.shared and tried.holder is None:
            return
        used = ((tried.shared or tried.own) if isinstance(by, ClientLeft)
                else ())
        with self._db.transaction():
            self.attempts.settle([each.key for each in used])
            self.attempts.withdraw(
                [each for each in tried.own + tried.shared
                 if each not in used], tried.counted_at)
            if tried.holder is not None and tried.allowed:
                self._failures.give_back(tried.holder, tried.device)

    def count_code(self, identifier: str, origin: Origin) -> None:
        """Count a typed code, or raise ``Throttled``."""
        self._count(origin, {
            "code_identifier": identifier,
            "code_address": network_of(origin.ip)})

    def count_reset(self, origin: Origin) -> Try:
        """Count a new password by a token, or raise ``Throttled``.

        What is returned can be withdrawn, here as elsewhere.
        """
        return self._count(origin, {"reset_address": network_of(origin.ip)})

    def count_registration(self, origin: Origin) -> Try:
        """Count a registration, or raise ``Throttled``.

        An address for which an operator lifted the limit is not held up by
        what all others have used.
        """
        own = {"register_address": network_of(origin.ip)}
        try:
            return self._count(origin, {**own, "register_all": ""})
        except Throttled:
            if not self._is_lifted(**own):
                raise
            return self._count(origin, own)

    def count_mail(self, origin: Origin) -> None:
        """Count a request for a letter, or raise ``Throttled``."""
        self._count(origin, {"mail_address": network_of(origin.ip)})

    def pardon(self, user_id: str, identifier: str) -> None:
        """Forget a user's failures: they have another password now.

        The identifier gets its tries back too, so that whoever has just
        chosen the password can sign in with it while others guess.
        """
        self.attempts.forget(self.keys.of_identifier(identifier))
        self._failures.forget(user_id)

    def _add_failure(self, begun: Try) -> bool:
        """Count a failure beforehand; say whether the try may be made.

        A right password takes it away again (NIST SP 800-63B-4 3.2.2).
        """
        most = self.limits.failures
        if begun.holder is None or most is None:
            return True
        return self._failures.add(begun.holder, begun.device, most)

    def _count(self, origin: Origin, subjects: Dict[str, str]) -> Try:
        """Count something that is not judged afterwards."""
        if not _is_request(origin):
            return Try()
        wanted: Dict[str, Wanted] = {}
        for name, subject in subjects.items():
            wanted.update(self._wanted(name, subject))
        counted = Try(shared=tuple(wanted.values()),
                      counted_at=self._db.clock.now())
        if wanted:
            self._reserve(wanted, counted.counted_at)
        return counted

    def _reserve(self, wanted: Dict[str, Wanted], now: datetime) -> None:
        """Count a try under all of these, or raise ``Throttled``."""
        try:
            self.attempts.reserve(list(wanted.values()), now)
        except Exhausted as exhausted:
            name = limit_of(exhausted.key)
            wait = (exhausted.ends_at - now).total_seconds()
            budget = wanted[exhausted.key].budget
            refusal = Throttled(math.ceil(wait), quota=Quota(
                name.partition("_")[0], budget.most,
                int(budget.window.total_seconds())))
            raise refusal.decided_by(
                f"limit {name}={budget}, full again at "
                f"{rfc3339(exhausted.ends_at)}") from None

    def _is_lifted(self, **subjects: str) -> bool:
        """Say whether an operator has lifted a limit for its subject."""
        keys = [self.keys.key(*each) for each in subjects.items()]
        found = self.attempts.windows(keys, self._db.clock.now())
        return any(window.lifted for window in found.values())

    def _wanted(self, name: str, subject: str) -> Dict[str, Wanted]:
        """Return the key of a subject under a limit, if there is one."""
        budget = self.limits.budget(name)
        if budget is None:
            return {}
        key = self.keys.key(name, subject)
        return {key: Wanted(key, budget)}


def _is_request(origin: Origin) -> bool:
    """Say whether a call comes over HTTP.

    Programs that use Vestibule as a library, and operators, look after
    themselves.
    """
    return origin.request_id is not None
