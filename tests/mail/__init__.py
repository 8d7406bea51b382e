#!/usr/bin/env python3
"""Letters, proved against a real SMTP server and a real Maildir."""
