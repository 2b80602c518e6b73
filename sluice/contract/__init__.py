"""Contracts: one ODCS file in, one plan out. Pure: no SDK, clock, randomness, environment or file access."""
