#!/usr/bin/env python3
"""Servers and certificates for the tests of mail."""

from typing import Iterator

import pytest

from tests.support.smtp_sink import (
    Certificate, SmtpSink, make_certificate, openssl_is_missing)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Make a certificate for localhost and 127.0.0.1, once."""
    if openssl_is_missing():
        pytest.skip("openssl is not installed: TLS to the mail server is "
                    "not tested")
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def sink() -> Iterator[SmtpSink]:
    """Run a server that takes clear text from anybody."""
    with SmtpSink() as server:
        yield server
