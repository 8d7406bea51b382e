#!/usr/bin/env python3
"""Letters: their texts, the SMTP client and the development mailbox.

Reading order: ``message.py`` (what is sent, and the plug that sends it),
``letters.py`` (all texts), ``wire.py`` on top of ``headers.py`` (how a
message becomes bytes that nobody can smuggle a header into), ``smtp.py``,
``mailbox.py``. Which letter is due, and when to try again, is decided by the
kernel's delivery, not here.
"""
