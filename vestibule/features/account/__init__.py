#!/usr/bin/env python3
"""What the signed-in person sees and keeps of themselves."""
