#!/usr/bin/env python3
"""Getting in again without the password."""
