#!/usr/bin/env python3
"""What Vestibule does, a folder for each thing; none imports another."""
