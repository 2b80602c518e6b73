"""Marts: one SELECT each, parsed, put in order, pinned to snapshots."""
