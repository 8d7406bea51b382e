#!/usr/bin/env python3
"""The development mailbox: letters to be looked at instead of sent."""
