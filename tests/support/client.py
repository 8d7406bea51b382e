#!/usr/bin/env python3
"""A client of a service in the same process, without a socket."""

from typing import Any, Dict, Optional

from tests.support.warm import warm, watch
from vestibule.app import create_app
from vestibule.base.clock import Clock
from vestibule.base.config import Settings
from vestibule.kernel.services import Services, build_services

BOB = {"email": "bob@example.com", "password": "correct horse battery"}


class Client:
    """Sends requests to a service and keeps its cookies, like a browser."""

    def __init__(self, app: Any, base_url: str,
                 keeps_cookies: bool = True) -> None:
        """Talk to this application under this base URL."""
        self.app = app
        self.services: Services = app.extensions["vestibule"]
        self._base_url = base_url
        self._http = app.test_client(use_cookies=keeps_cookies)

    def another(self) -> "Client":
        """Return another browser at the same service, without cookies."""
        return Client(self.app, self._base_url)

    def program(self) -> "Client":
        """Return a client that sends the Cookie header it is told to."""
        return Client(self.app, self._base_url, keeps_cookies=False)

    def request(self, method: str, path: str, **options: Any) -> Any:
        """Send a request, with the options of Werkzeug's test client."""
        options.setdefault("base_url", self._base_url)
        return self._http.open(path, method=method, **options)

    def get(self, path: str, **options: Any) -> Any:
        """Send a GET."""
        return self.request("GET", path, **options)

    def post(self, path: str, body: Optional[Dict[str, Any]] = None,
             **options: Any) -> Any:
        """Send a POST with a JSON object."""
        return self.request("POST", path, json=body or {}, **options)

    def put(self, path: str, body: Optional[Dict[str, Any]] = None,
            **options: Any) -> Any:
        """Send a PUT with a JSON object."""
        return self.request("PUT", path, json=body or {}, **options)

    def delete(self, path: str, **options: Any) -> Any:
        """Send a DELETE."""
        return self.request("DELETE", path, **options)

    def sign_up(self, **changes: str) -> Any:
        """Register Bob, or somebody else."""
        return self.post("/users", dict(BOB, **changes))

    def sign_in(self, **changes: str) -> Any:
        """Log Bob in, or somebody else."""
        return self.post("/sessions", dict(BOB, **changes))


def make_client(settings: Settings, clock: Optional[Clock] = None,
                is_warm: bool = False) -> Client:
    """Return a client of a new service with these settings."""
    services = build_services(settings, clock)
    watch(services.db)
    if is_warm:
        warm(services.sessions, services.db)
    # As in a service; whoever looks at the refusals flushes them first.
    services.refusals.defer()
    app = create_app(settings, services)
    return Client(app, str(settings.public_url))


def cookie_of(response: Any) -> Optional[str]:
    """Return the value of the session cookie that a response sets."""
    for header in response.headers.getlist("Set-Cookie"):
        name, _, rest = header.partition("=")
        if name in ("session_id", "__Host-session_id"):
            return str(rest.partition(";")[0])
    return None
