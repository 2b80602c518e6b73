"""Offline AWS: runs the synthesized templates, handlers and state machines on one machine, for trying and testing."""
