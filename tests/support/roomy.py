#!/usr/bin/env python3
"""Limits that no test meets by chance.

Tests come from one address and do in a second what people do in a week. What
is counted is counted all the same. The limit of letters to one box stays as
it is.
"""

from vestibule.base.limits import Limits

ROOMY = ",".join(
    f"{name}=1000000/1d" for name in Limits._fields
    if name not in ("mail_box", "failures"))
