#!/usr/bin/env python3
"""Values and vocabulary of the whole house: no I/O and no framework."""
