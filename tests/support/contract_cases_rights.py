#!/usr/bin/env python3
"""How each answer about deletion and export is provoked."""

import copy
from typing import Any, Dict

from tests.support.client import BOB
from tests.support.clock import SetClock
from tests.support.contract_cases import Case
from tests.support.contract_stage import Arrange, Stage, sending


def signed_in(stage: Stage, **duration: float) -> Dict[str, Any]:
    """Sign Bob up and in, so long ago; return options with his cookie."""
    stage.client.sign_up()
    answer = stage.client.sign_in()
    clock = stage.client.services.db.clock
    assert isinstance(clock, SetClock)
    clock.advance(**duration)
    cookie = answer.headers["Set-Cookie"].partition(";")[0]
    return {"headers": {"Cookie": cookie}}


def just_signed_in(stage: Stage) -> Dict[str, Any]:
    """Let Bob be signed in, his proof fresh."""
    return signed_in(stage)


def signed_in_long_ago(stage: Stage) -> Dict[str, Any]:
    """Let Bob be signed in, his proof too old."""
    return signed_in(stage, minutes=6)


def after_an_export(stage: Stage) -> Dict[str, Any]:
    """Let Bob have had his export for the day."""
    options = signed_in(stage)
    assert stage.client.get("/profile/export").status_code == 200
    return options


def leaving(**options: Any) -> Arrange:
    """Return an arrangement in which Bob's deletion is announced."""
    def arrange(stage: Stage) -> Dict[str, Any]:
        """Announce it and return the options."""
        stage.client.sign_up()
        services = stage.client.services
        services.deletion.by_operator(
            services.db.find_user_by(email=BOB["email"]))
        return copy.deepcopy(options)
    return arrange


def without_tables(stage: Stage) -> Dict[str, Any]:
    """Take away what every login looks into."""
    stage.client.services.db.close()
    for file in stage.folder.iterdir():
        if file.is_file():
            file.unlink()
    return {"json": BOB}


RIGHTS_CASES = (
    Case("log_in", 403, "deletion_pending", leaving(json=BOB)),
    Case("delete_profile", 202, "json", just_signed_in),
    Case("delete_profile", 401, "reauthentication_required",
         signed_in_long_ago),
    Case("restore_profile", 200, "json", leaving(json=BOB)),
    Case("restore_profile", 200, "form", leaving(data=BOB)),
    Case("restore_profile", 200, "not remembered",
         leaving(data=dict(BOB, remember="false"))),
    Case("restore_profile", 401, "invalid_credentials", sending(json=BOB)),
    Case("restore_profile", 403, "email_not_verified", leaving(json=BOB),
         production=True),
    Case("restore_profile", 422, "invalid_input",
         leaving(json=dict(BOB, remember=1))),
    Case("restore_profile", 503, "unavailable", without_tables),
    Case("export_profile", 200, "json", just_signed_in),
    Case("export_profile", 401, "reauthentication_required",
         signed_in_long_ago),
    Case("export_profile", 429, "throttled", after_an_export),
)
