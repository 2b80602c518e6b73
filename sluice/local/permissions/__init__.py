"""Whether the offline AWS lets a call through: what it needs, which policies speak of it, and what they say.

The judgement itself is that of a maintained evaluator in a process of its own (`evaluator/`).
"""
