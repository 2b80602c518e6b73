"""Patches on moto, one file a gap; only the offline AWS and tests may import them.

Each has `install()`, names the gap and the moto version that has it, and has a canary in `tests/stage/` that turns red
when moto changes under it. Nothing here runs at import.
"""
