"""Verdicts to files: accepted rows, rejects and the account of each load."""
