#!/usr/bin/env python3
"""How the text of a setting becomes a value, and what is refused."""

import ipaddress
from typing import Any, Callable

import pytest

from vestibule.base.setting_values import (
    BaseURL, Bind, Pepper, base_url, bcrypt_cost, bind, contact, mail_address,
    networks, one_of, password_length, pepper, peppers, plain, range_url,
    redis_url, secret_key, small_number, yes_no)

GOOD_KEY = "0123456789abcdefghijklmnopqrstuv"


@pytest.mark.parametrize("parse, text, value", [
    (plain, "  Our Service ", "Our Service"),
    (plain, "Caf\u00e9 \u2615", "Caf\u00e9 \u2615"),
    (one_of("open", "closed"), "closed", "closed"),
    (yes_no, "yes", True),
    (yes_no, "no", False),
    (small_number, "1", 1),
    (small_number, "256", 256),
    (bcrypt_cost, "4", 4),
    (bcrypt_cost, "16", 16),
    (password_length, "1", 1),
    (password_length, "64", 64),
    (bind, "127.0.0.1:5000", Bind("127.0.0.1", 5000)),
    (bind, "localhost:1", Bind("localhost", 1)),
    (bind, "[::1]:65535", Bind("::1", 65535)),
    (base_url, "https://example.com", BaseURL("https", "example.com", "")),
    (base_url, " https://Example.com/auth/ ",
     BaseURL("https", "example.com", "/auth")),
    (base_url, "https://example.com:443/",
     BaseURL("https", "example.com", "")),
    (base_url, "http://example.com:80", BaseURL("http", "example.com", "")),
    (base_url, "http://example.com:443",
     BaseURL("http", "example.com:443", "")),
    (base_url, "https://[::1]:8443/a", BaseURL("https", "[::1]:8443", "/a")),
    (range_url, " https://Ranges.example.com/range/",
     "https://ranges.example.com/range/"),
    (range_url, "http://127.0.0.1:8080/", "http://127.0.0.1:8080/"),
    (secret_key, GOOD_KEY, GOOD_KEY),
    (pepper, f"2026a:{GOOD_KEY}", Pepper("2026a", GOOD_KEY)),
    (pepper, f" a:{GOOD_KEY}:/+=\u00e9 ",
     Pepper("a", GOOD_KEY + ":/+=\u00e9")),
    (peppers, f"a:{GOOD_KEY}, 0123456789abcdef:x{GOOD_KEY}",
     (Pepper("a", GOOD_KEY), Pepper("0123456789abcdef", "x" + GOOD_KEY))),
    (contact, "Security@Example.com", "mailto:security@example.com"),
    (contact, "a%b@example.com", "mailto:a%25b@example.com"),
    (contact, "mailto:a@example.com?subject=x",
     "mailto:a@example.com?subject=x"),
    (contact, "https://example.com", "https://example.com"),
    (contact, "https://[::1]:8443/report?a=b#c",
     "https://[::1]:8443/report?a=b#c"),
    (mail_address, " Help@Example.COM ", "help@example.com"),
    (mail_address, "root@localhost", "root@localhost"),
    (networks, "10.0.0.0/8", (ipaddress.ip_network("10.0.0.0/8"),)),
    (networks, "127.0.0.1, fd00::/8",
     (ipaddress.ip_network("127.0.0.1/32"),
      ipaddress.ip_network("fd00::/8"))),
])
def test_a_usable_text_becomes_its_value(
        parse: Callable[[str], Any], text: str, value: Any) -> None:
    """R148: every kind of setting, at both ends of what it takes."""
    assert parse(text) == value


@pytest.mark.parametrize("parse, text, reason", [
    (plain, "", "is empty"),
    (plain, " \t ", "is empty"),
    (plain, "a\nb", "holds characters that cannot be printed"),
    (plain, "a\0b", "holds characters that cannot be printed"),
    (plain, "a\udcffb", "holds characters that cannot be printed"),
    (range_url, "ftp://example.com/range/",
     "must begin with https:// or http:// and a host"),
    (range_url, "file:///etc/passwd/",
     "must begin with https:// or http:// and a host"),
    (range_url, "https://example.com/range",
     "must end with /, since five digits are appended"),
    (range_url, "https://example.com/a b/", "must be of ASCII without blanks"),
    (range_url, "https://example.com/\u00e9/",
     "must be of ASCII without blanks"),
    (range_url, "https://u:p@example.com/range/",
     "must be scheme, host and path alone"),
    (range_url, "https://example.com/?range=/",
     "must be scheme, host and path alone"),
    (one_of("open", "closed"), "shut",
     "must be open or closed, not 'shut'"),
    (one_of("open", "closed"), "Open",
     "must be open or closed, not 'Open'"),
    (yes_no, "true", "must be yes or no, not 'true'"),
    (yes_no, "", "must be yes or no, not ''"),
    (small_number, "0", "must be a whole number from 1 to 256, not '0'"),
    (small_number, "257", "must be a whole number from 1 to 256, not '257'"),
    (small_number, "-1", "must be a whole number from 1 to 256, not '-1'"),
    (small_number, "+1", "must be a whole number from 1 to 256, not '+1'"),
    (small_number, "1.0", "must be a whole number from 1 to 256, not '1.0'"),
    (small_number, "\u0664",
     "must be a whole number from 1 to 256, not '\u0664'"),
    (small_number, "0000001",
     "must be a whole number from 1 to 256, not '0000001'"),
    (small_number, "", "must be a whole number from 1 to 256, not ''"),
    (bcrypt_cost, "3", "must be a whole number from 4 to 16, not '3'"),
    (bcrypt_cost, "17", "must be a whole number from 4 to 16, not '17'"),
    (password_length, "0", "must be a whole number from 1 to 64, not '0'"),
    (password_length, "65", "must be a whole number from 1 to 64, not '65'"),
    (bind, "5000",
     "must be an address and a port, as in 127.0.0.1:5000, not '5000'"),
    (bind, ":5000",
     "must be an address and a port, as in 127.0.0.1:5000, not ':5000'"),
    (bind, "::1:5000",
     "must have an IPv6 address in brackets: [::1]:5000"),
    (bind, "127.0.0.1:",
     "has a port that must be a whole number from 1 to 65535, not ''"),
    (bind, "127.0.0.1:0",
     "has a port that must be a whole number from 1 to 65535, not '0'"),
    (bind, "127.0.0.1:65536",
     "has a port that must be a whole number from 1 to 65535, not '65536'"),
    (base_url, "https://[bad", "is not a URL"),
    (base_url, "https://example.com:port", "is not a URL"),
    (base_url, "https://example.com:99999", "is not a URL"),
    (base_url, "example.com",
     "must begin with https:// or http:// and a host"),
    (base_url, "ftp://example.com",
     "must begin with https:// or http:// and a host"),
    (base_url, "https://", "must begin with https:// or http:// and a host"),
    (base_url, "https://example.com/?a=b",
     "must be scheme, host and path alone"),
    (base_url, "https://example.com/#top",
     "must be scheme, host and path alone"),
    (base_url, "https://user@example.com",
     "must be scheme, host and path alone"),
    (secret_key, GOOD_KEY + "\udcff",
     "holds characters that cannot be printed"),
    (mail_address, "Help <help@example.com>",
     "must be one plain mail address"),
    (mail_address, "a@example.com, b@example.com",
     "must be one plain mail address"),
    (mail_address, "help", "must be one plain mail address"),
])
def test_an_unusable_text_is_refused_with_the_reason(
        parse: Callable[[str], Any], text: str, reason: str) -> None:
    """R148: the sentence says what the setting wants, to the letter."""
    with pytest.raises(ValueError) as refusal:
        parse(text)
    assert str(refusal.value) == reason


@pytest.mark.parametrize("text", [
    "", "changeme", GOOD_KEY[:31], "a" * 64, "012345678" * 8])
def test_a_weak_key_is_refused_without_showing_it(text: str) -> None:
    """R115: too short, or too few different characters."""
    with pytest.raises(ValueError) as refusal:
        secret_key(text)
    assert str(refusal.value).startswith(
        "is too weak: it needs 32 random characters")
    assert not text or text not in str(refusal.value)


@pytest.mark.parametrize("text", [
    "", GOOD_KEY, f":{GOOD_KEY}", f"A:{GOOD_KEY}", f"a-b:{GOOD_KEY}",
    f"01234567890abcdef:{GOOD_KEY}", f"a :{GOOD_KEY}", "a:", "a:changeme",
    f"a:{GOOD_KEY[:31]}", "a:" + "x" * 64, f"a:{GOOD_KEY} x",
    f"a:{GOOD_KEY},{GOOD_KEY}", f"a:{GOOD_KEY}\nx", f"\u00e9:{GOOD_KEY}"])
def test_a_pepper_that_is_none_is_refused_without_showing_it(
        text: str) -> None:
    """R115, R027: no id, no secret to speak of, or two secrets."""
    for parse in (pepper, peppers):
        with pytest.raises(ValueError) as refusal:
            parse(text)
        assert "0123456789a" not in str(refusal.value)


def test_a_pepper_shows_its_id_alone() -> None:
    """R027: settings may end up in a traceback."""
    shown = repr([pepper(f"2026a:{GOOD_KEY}")])
    assert shown == "[<Pepper 2026a>]"


@pytest.mark.parametrize("text", [
    "", "security", "http://example.com", "https://", "https:///x",
    "mailto:", "mailto:security", "tel:+1", "mailto:a@b c", "https://a/ b",
    "https://a/\nExpires: x", "mailto:a@b\r\nx", "a@b.example\nx: y",
    "https://\u00e9.example", "javascript:alert(1)@x"])
def test_a_contact_that_nobody_can_use_is_refused(text: str) -> None:
    """R148: nor does it bring lines of its own into the file."""
    with pytest.raises(ValueError, match="must be "):
        contact(text)


@pytest.mark.parametrize("text", ["", "10.0.0.1/8", "10.0.0.0/33", "proxy",
                                  "10.0.0.0/8,"])
def test_networks_that_are_none_are_refused_with_an_example(
        text: str) -> None:
    """R148: bits beyond the mask are refused as well: they are a slip."""
    with pytest.raises(ValueError, match=(
            r"^must be networks such as 10\.0\.0\.0/8, but .")):
        networks(text)


@pytest.mark.parametrize("host, is_loopback", [
    ("127.0.0.1", True), ("127.8.9.10", True), ("::1", True),
    ("localhost", True), ("auth.localhost", True), ("0.0.0.0", False),
    ("::", False), ("10.0.0.1", False), ("example.com", False),
    ("localhost.example.com", False), ("notlocalhost", False)])
def test_loopback_is_told_from_the_rest_of_the_world(
        host: str, is_loopback: bool) -> None:
    """The development profile trusts this distinction."""
    assert Bind(host, 5000).is_loopback is is_loopback
    shown = f"[{host}]" if ":" in host else host
    assert base_url(f"http://{shown}:5000").is_loopback is is_loopback


def test_an_address_is_spelled_as_it_is_written() -> None:
    """IPv6 stands in brackets, and a wildcard is reached by loopback."""
    assert str(Bind("::1", 80)) == "[::1]:80"
    assert str(Bind("127.0.0.1", 80)) == "127.0.0.1:80"
    assert Bind("::", 80).reachable == "127.0.0.1:80"
    assert Bind("0.0.0.0", 80).reachable == "127.0.0.1:80"
    assert Bind("10.0.0.1", 80).reachable == "10.0.0.1:80"


def test_a_base_url_is_spelled_without_a_slash_at_its_end() -> None:
    """R055: links are this text and a path behind it."""
    url = base_url("https://example.com:8443/auth/")
    assert str(url) == "https://example.com:8443/auth"
    assert url.origin == "https://example.com:8443"


@pytest.mark.parametrize("text", [
    "redis://127.0.0.1", "redis://[::1]:6379/15",
    "rediss://user:p%40ss@redis.example.com:6379/0",
    "rediss://redis.example.com?ssl_ca_certs=/etc/ca.pem",
    "unix:///run/redis.sock", "unix://:secret@/run/redis.sock?db=1"])
def test_the_urls_of_redis_are_taken_as_they_are(text: str) -> None:
    """Over a network, by TLS, and by a socket."""
    assert redis_url(f" {text} ") == text


@pytest.mark.parametrize("text, reason", [
    ("", "is empty"),
    ("127.0.0.1:6379", "must begin with redis://"),
    ("redis:/run/redis.sock", "must begin with redis://"),
    ("valkey://127.0.0.1", "must begin with redis://"),
    ("redis://", "has no host"),
    ("redis://host:port", "is not a URL"),
    ("redis://host:70000", "is not a URL"),
    ("redis://host/zero", "must end with the number of a database"),
    ("redis://:pa#ss@host", "is not a URL|holds # or a blank"),
    ("redis://host/0#x", "holds # or a blank"),
    ("redis://:pa ss@host", "holds # or a blank"),
    ("rediss://host?ssl_cert_reqs=none", "may have no options but"),
    ("redis://host?socket_timeout=60", "may have no options but"),
    ("redis://host?ssl_ca_certs=/etc/ca.pem", "may have no options but"),
    ("unix://run/redis.sock", "must have a socket's whole path"),
    ("unix:///", "must have a socket's whole path"),
    ("unix:///run/redis.sock?db=x", "may have the option db alone"),
    ("unix:///run/redis.sock?timeout=1", "may have the option db alone")])
def test_a_url_of_redis_that_cannot_be_used_is_refused(
        text: str, reason: str) -> None:
    """R148: above all one that would verify no certificate (R151)."""
    with pytest.raises(ValueError, match=f"^({reason})"):
        redis_url(text)
