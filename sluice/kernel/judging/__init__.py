"""Records to verdicts: casts, rules, keys and checks of whole objects. No file of the lake is written here."""
