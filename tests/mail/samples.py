#!/usr/bin/env python3
"""A message to start from, and strings that once did harm."""

from datetime import datetime, timezone

from vestibule.mail.message import Message

DATE = datetime(2026, 3, 1, 12, 30, tzinfo=timezone.utc)
SENDER = "Example Accounts <accounts@example.org>"
TOKEN = "kAx7-Zb_" * 5 + "abc"
CODE = "12345678"
LINK = f"https://accounts.example.org/reset?token={TOKEN}"

SAMPLE = Message(
    to="jo@example.org", subject="Choose a new password",
    text=f"Open this:\n\n{LINK}\n", html=f'<a href="{LINK}">Open</a>\n',
    message_id="<2b6a1a5e-0000-4000-8000-1234567890ab@example.org>",
    date=DATE)

# What may not become a header, put where the name of the service stands.
HOSTILE_NAMES = [
    "=?utf-8?q?x=0d=0aBcc:=20evil@example.org?=",
    "=?utf-8?b?eA0KQmNjOiBldmlsQGV4YW1wbGUub3Jn?=",
    "=?utf-8?q?=3D=3Futf-8=3Fq=3Fx=0d=0aBcc:_evil@example.org=3F=3D?=",
    "=?utf-8?q?x?= =?utf-8?q?=0d=0aBcc:=20evil@example.org?=",
    "=?utf-8?q?a=00b?=",
    "==??utf-8?q?x=0d=0aBcc:=20evil@example.org?=",
    "x\r\nBcc: evil@example.org",
    "x\nBcc: evil@example.org",
    "x\rBcc: evil@example.org",
    "x\r\n\r\nA body of mine",
    "x\0Bcc: evil@example.org",
    "x\x0bBcc: evil@example.org",
    "x\x0cBcc: evil@example.org",
    "x\x85Bcc: evil@example.org",
    "x\u2028Bcc: evil@example.org",
    "x\u2029Bcc: evil@example.org",
    "x\x7f\x1b[31m",
    "x\ud800",
    'x" <evil@example.org>, "y',
    "evil@example.org, y",
    "evil@example.org>",
    "x (a comment <evil@example.org>)",
    "x: evil@example.org;",
    "\\",
    '"',
    "",
    " ",
    "<",
]
