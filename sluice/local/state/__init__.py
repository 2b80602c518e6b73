"""State that outlives the process of an offline AWS: objects, table entries, the ledger and parameters.

Everything else is made of the templates at each start, or is under way and ends with the process as on a machine that
fails: messages, executions, invocations. `reconcile` finds their loads.
"""
