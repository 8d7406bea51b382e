#!/usr/bin/env python3
"""Every model in one place, for whoever needs all tables at once."""

from vestibule.store.attempt import Attempt
from vestibule.store.event import Event
from vestibule.store.failure import Failure
from vestibule.store.idempotency import IdempotentRequest
from vestibule.store.letter import Letter
from vestibule.store.one_time_token import OneTimeToken
from vestibule.store.pepper_canary import PepperCanary
from vestibule.store.refusal import StoredRefusal
from vestibule.store.reservation import Reservation
from vestibule.store.session import Session
from vestibule.store.tables import Base
from vestibule.store.user import User

MODELS = (User, Session, OneTimeToken, Reservation, Letter,
          IdempotentRequest, Event, PepperCanary,
          StoredRefusal, Attempt, Failure)
METADATA = Base.metadata
