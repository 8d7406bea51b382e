#!/usr/bin/env python3
"""A peer on django-allauth, headless, with its two kinds of clients."""
