#!/usr/bin/env python3
"""What can be refused: a dozen kinds of error, each with a stable code.

The kind says how a refusal is answered (the web layer holds the one table
from kind to status); the ``code`` says which case it was and is part of the
contract. Messages are safe to show to anybody: they hold no secret and no
hint at what exists.
"""

from datetime import datetime
from typing import Dict, List, NamedTuple, Optional, TypeVar

from vestibule.base.texts import rfc3339

Reasons = Dict[str, List[str]]
Kind = TypeVar("Kind", bound="AuthError")


class AuthError(Exception):
    """A refusal that its caller is meant to see.

    ``rule`` is for operators alone: which rule decided, where the code does
    not say it. No client ever sees it.
    """

    rule: Optional[str] = None
    default_code = "refused"
    default_message = "The request was refused."

    def __init__(self, message: Optional[str] = None,
                 code: Optional[str] = None) -> None:
        """Keep the safe message and the stable code, or the kind's own."""
        self.message = message or self.default_message
        self.code = code or self.default_code
        super().__init__(self.message)

    def decided_by(self: Kind, rule: str) -> Kind:
        """Keep which rule decided, in words for an operator; return itself.

        The words are stored beside the request id, so they name nobody: no
        address, no id, nothing that was typed.
        """
        self.rule = rule
        return self


class InvalidInput(AuthError, ValueError):
    """Values that are unfit: ``errors`` names each field with its reasons."""

    default_code = "invalid_input"
    default_message = "Some fields are missing or not usable."

    def __init__(self, errors: Reasons, message: Optional[str] = None,
                 code: Optional[str] = None) -> None:
        """Keep the reasons by field, ``{"email": ["malformed"]}``."""
        super().__init__(message, code)
        self.errors = errors


def merged(refusals: List[InvalidInput]) -> InvalidInput:
    """Return one refusal that names the fields of all, or the only one."""
    if len(refusals) == 1:
        return refusals[0]
    reasons: Reasons = {}
    for refusal in refusals:
        reasons.update(refusal.errors)
    return InvalidInput(reasons)


class IdentifierTaken(AuthError, ValueError):
    """Somebody is registered under this identifier already."""

    default_code = "email_taken"
    default_message = "email already registered"


class InvalidCredentials(AuthError, ValueError):
    """A wrong password and an unknown identifier, deliberately one kind."""

    default_code = "invalid_credentials"
    default_message = "The email or the password is not right."


class FactorRequired(AuthError):
    """The password was right, and another factor is still to be proved."""

    default_code = "factor_required"
    default_message = "Another factor is needed to sign in."


class SessionRequired(AuthError):
    """No live session came with the request.

    ``ended`` tells a session that is unknown, expired or revoked (its cookie
    is of no more use) from a request without a usable cookie, or with a
    rotated secret, whose cookie must stay as it is.
    """

    default_code = "session_required"
    default_message = "You are not signed in."

    def __init__(self, ended: bool = False) -> None:
        """Keep whether the presented session can never be live again."""
        super().__init__()
        self.ended = ended


class ReauthenticationRequired(AuthError):
    """The session is live, but its last proof is too old for this call."""

    default_code = "reauthentication_required"
    default_message = "Please confirm your password first."


class Forbidden(AuthError, ValueError):
    """The caller is known, or need not be, and may not do this.

    A ``ValueError`` too, since task 16 expects one for an unknown email.
    """

    default_code = "forbidden"
    default_message = "This is not allowed."


class DeletionPending(Forbidden):
    """The user is about to be deleted, and can be restored until then.

    ``members`` are what a problem says of it besides.
    """

    default_code = "deletion_pending"

    def __init__(self, delete_after: datetime) -> None:
        """Say until when there is a way back."""
        until = rfc3339(delete_after)
        super().__init__(f"This account is deleted after {until}. Until then "
                         "it can be restored.")
        self.members = {"delete_after": until}


class InvalidToken(AuthError, ValueError):
    """An unknown, used, expired or misdirected token, deliberately alike."""

    default_code = "invalid_token"
    default_message = "This link or token is not valid, or not any more."


class Quota(NamedTuple):
    """A limit as clients are told of it: its name, tries, and seconds."""

    name: str
    most: int
    seconds: int


class Throttled(AuthError):
    """Too many tries; ``retry_after`` says in how many seconds to return."""

    default_code = "throttled"
    default_message = "Too many tries. Please wait a moment."

    def __init__(self, retry_after: int, message: Optional[str] = None,
                 quota: Optional[Quota] = None) -> None:
        """Keep the whole seconds, at least one, until a try is allowed.

        ``quota`` is the limit that is used up, where it is one of ours.
        """
        super().__init__(message)
        self.retry_after = max(1, retry_after)
        self.quota = quota


class NotFound(AuthError):
    """There is no such thing, or none that the caller may know of."""

    default_code = "not_found"
    default_message = "There is nothing here."


class Conflict(AuthError):
    """What the caller saw has changed since, or is being changed now."""

    default_code = "conflict"
    default_message = "This was changed in the meantime."


class PreconditionFailed(Conflict):
    """The version that the caller asked for is not the one there is."""

    default_code = "precondition_failed"


class Unavailable(AuthError):
    """Something that Vestibule stands on does not answer at the moment."""

    default_code = "unavailable"
    default_message = "The service is not available at the moment."
    retry_after = 5


class Busy(Unavailable):
    """Too many passwords are being hashed; nothing was done for this one.

    ``retry_after`` says in how many seconds there should be room.
    """

    default_code = "busy"
    default_message = ("Too many people are at the door just now. Please try "
                       "again in a moment.")

    def __init__(self, retry_after: int = 1) -> None:
        """Keep the whole seconds, at least one."""
        super().__init__()
        self.retry_after = max(1, retry_after)


class ClientLeft(Busy):
    """Nobody waits for the answer any more, so nothing was hashed."""

    default_code = "client_left"
