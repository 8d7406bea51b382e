#!/usr/bin/env python3
"""How each answer to those who try too often is provoked."""

from typing import Any, Dict, Tuple

from tests.support.client import BOB
from tests.support.contract_cases import (
    EMAIL, RESET, RESET_BY_CODE, WRONG_PASSWORDS, Case)
from tests.support.contract_stage import (
    NEW_EMAIL, Arrange, Stage, sending, signed_in)
from vestibule.base.limits import Limits, limits

ONCE = limits(",".join(
    f"{name}=1/1h" for name in Limits._fields if name != "failures"))
WRONG_PASSWORD = {"password": "a wrong one"}
TRIED: Tuple[Tuple[str, str, str, Arrange], ...] = (
    ("register_user", "POST", "/users", sending(json=BOB)),
    ("log_in", "POST", "/sessions", sending(json=BOB)),
    ("restore_profile", "POST", "/profile/restore", sending(json=BOB)),
    ("reauthenticate", "POST", "/session/reauthenticate",
     signed_in(json=WRONG_PASSWORD)),
    ("change_password", "PUT", "/password", signed_in(json=WRONG_PASSWORDS)),
    ("get_reset_password_token", "POST", "/reset_password",
     sending(json=EMAIL)),
    ("update_password", "PUT", "/reset_password", sending(json=RESET)),
    ("update_password", "PUT", "/reset_password",
     sending(json=RESET_BY_CODE)),
    ("ask_for_verification", "POST", "/verify_email", sending(json=EMAIL)),
    ("verify_email", "PUT", "/verify_email",
     sending(json=dict(EMAIL, code="00000000"))),
    ("change_email", "PUT", "/email", signed_in(json={"email": NEW_EMAIL})),
)


def too_often(method: str, path: str, arrange: Arrange) -> Arrange:
    """Return an arrangement in which a request was sent once already.

    Everything may be tried once an hour there.
    """
    def arranged(stage: Stage) -> Dict[str, Any]:
        """Send the request the first time and return its options."""
        options = arrange(stage)
        stage.client.services.auth.throttle.limits = ONCE
        answer = stage.client.program().request(method, path, **options)
        assert answer.status_code != 429
        return options
    return arranged


THROTTLE_CASES = tuple(
    Case(operation, 429, "throttled", too_often(method, path, arrange))
    for operation, method, path, arrange in TRIED)
