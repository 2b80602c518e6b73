"""Where a row came from, and why a row or file is not in its table. Reads tables, ledger and bucket; writes nothing.

`why` tells of rows that are there, `whynot` of what is not. How an answer is shown is the command's business.
"""
