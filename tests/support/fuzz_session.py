#!/usr/bin/env python3
"""Signs schemathesis in, anew for each request that it makes up.

Schemathesis loads this as a module of hooks. Since each request comes from
somebody who has just registered, one that logs out, ends sessions or changes
the password spoils no other.
"""

import itertools
import json
from http.client import HTTPConnection, HTTPMessage
from typing import Any, Dict, NamedTuple
from urllib.parse import urlsplit

import schemathesis

# The example of the document, so that its examples prove who they are.
PASSWORD = "correct horse battery staple"
NUMBERS = itertools.count()
# Where it is written down which operation was answered how.
ANSWERED = "answered.txt"


class SignedIn(NamedTuple):
    """A session's cookie, and its id for paths that name one."""

    cookie: str
    session_id: str


@schemathesis.auth(refresh_interval=None)
class FreshSession:
    """Gives each request a session of its own."""

    def get(self, case: Any, context: Any) -> SignedIn:
        """Register somebody and start a session."""
        address = urlsplit(case.operation.base_url).netloc
        person = {"email": f"person{next(NUMBERS)}@example.com",
                  "password": PASSWORD}
        _post(address, "/users", person)
        headers = _post(address, "/sessions", person)
        cookie = headers["Set-Cookie"].partition(";")[0]
        return SignedIn(cookie, cookie.partition("=")[2].partition(".")[0])

    def set(self, case: Any, data: SignedIn, context: Any) -> None:
        """Add the cookie, and let every second path name the session."""
        name, _, token = data.cookie.partition("=")
        case.cookies[name] = token
        if "session_id" in case.path_parameters and next(NUMBERS) % 2:
            case.path_parameters["session_id"] = data.session_id


def after_call(context: Any, case: Any, response: Any) -> None:
    """Write down how an operation was answered."""
    name = case.operation.definition.raw["operationId"]
    with open(ANSWERED, "a", encoding="utf-8") as answered:
        answered.write(f"{name} {response.status_code}\n")


def _post(address: str, path: str, body: Dict[str, str]) -> HTTPMessage:
    """Send a POST that has to succeed, and return its headers.

    Of several of a name the first counts: the session's cookie.
    """
    connection = HTTPConnection(address, timeout=10)
    try:
        connection.request("POST", path, json.dumps(body),
                           {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, (path, answer.status)
        return answer.headers
    finally:
        connection.close()


schemathesis.hook(after_call)
