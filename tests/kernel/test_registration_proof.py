#!/usr/bin/env python3
"""The proof of having registered: signed, of one user, for a day."""

import re
from datetime import timedelta
from typing import Callable

import pytest

from tests.support.clock import SetClock
from tests.support.recovery import KEY
from vestibule.base.digest import keyed_digest
from vestibule.kernel.registration_proof import (
    LIFETIME, proves_registration, registration_proof)
from vestibule.store.tables import new_id

ID = new_id()
SHAPE = re.compile(r"\d{16}\.[0-9a-f]{64}")


def test_a_proof_is_good_for_a_day(clock: SetClock) -> None:
    """R005: to the microsecond, as often as it is looked at."""
    now = clock.now()
    proof = registration_proof(KEY, ID, now)
    assert LIFETIME == timedelta(hours=24)
    end = now + LIFETIME
    for instant in (now, now, end - timedelta(microseconds=1)):
        assert proves_registration(proof, KEY, ID, instant)
    for instant in (end, end + timedelta(days=9)):
        assert not proves_registration(proof, KEY, ID, instant)


def test_a_proof_says_nothing_to_who_reads_it(clock: SetClock) -> None:
    """R085: of one shape for everybody, without id or key."""
    proofs = {registration_proof(KEY, new_id(), clock.now())
              for _ in range(9)}
    assert len(proofs) == 9
    for proof in proofs:
        assert SHAPE.fullmatch(proof)
    assert ID not in registration_proof(KEY, ID, clock.now())


def test_a_proof_is_of_one_user_and_one_key(clock: SetClock) -> None:
    """R005: for anybody else it is nothing."""
    now = clock.now()
    proof = registration_proof(KEY, ID, now)
    assert not proves_registration(proof, KEY, new_id(), now)
    assert not proves_registration(proof, KEY, "", now)
    for key in ("", KEY[:-1], KEY + " "):
        assert not proves_registration(proof, key, ID, now)


@pytest.mark.parametrize("change", [
    lambda proof: "", lambda proof: ".", lambda proof: "..",
    lambda proof: proof[:-1], lambda proof: proof + "0",
    lambda proof: proof.upper(), lambda proof: proof.replace(".", ""),
    lambda proof: proof.partition(".")[0],
    lambda proof: proof.partition(".")[2],
    lambda proof: f" {proof}", lambda proof: f"{proof}\n",
    lambda proof: f"+{proof}", lambda proof: f"0{proof}",
    lambda proof: f"{proof}.{proof}", lambda proof: "\0" + proof,
    lambda proof: f"{int(proof[:16]) + 1}{proof[16:]}",
    lambda proof: f"{'9' * 5000}{proof[16:]}",
    lambda proof: f"\u0661{proof[1:]}", lambda proof: f"never{proof[16:]}",
    lambda proof: f"{proof[:16]}.\u00e9{proof[18:]}",
    lambda proof: f"{proof}\ud800", lambda proof: f"\ud800{proof}"])
def test_what_is_near_a_proof_is_none(
        change: Callable[[str], str], clock: SetClock) -> None:
    """R005: forged, cut or misshapen, it is refused and breaks nothing."""
    now = clock.now()
    proof = change(registration_proof(KEY, ID, now))
    assert proves_registration(proof, KEY, ID, now) is False


def test_nothing_else_that_is_signed_is_a_proof(clock: SetClock) -> None:
    """R061: what the key signs for another use is none, alike as it is."""
    now = clock.now()
    expires = registration_proof(KEY, ID, now).partition(".")[0]
    for text in (f"{ID} {expires}", f"reset {ID} {expires}", ID, expires):
        proof = f"{expires}.{keyed_digest(KEY, text)}"
        assert not proves_registration(proof, KEY, ID, now)
