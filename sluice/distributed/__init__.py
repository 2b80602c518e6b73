"""Transform on Spark: the same group, kernel and result as on Lambda, spread over tasks. Nothing is imported here.

Spark decides what runs where, carries sealed packets from task to task and repeats what failed; it never sees a row.
"""
