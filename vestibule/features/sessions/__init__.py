#!/usr/bin/env python3
"""Where somebody is signed in, and how to end it."""
