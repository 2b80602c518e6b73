"""The ledger: which raw objects are to be loaded, who works on them, and what became of them. DynamoDB, one table."""
