"""The kernel: DuckDB code that reads, casts, checks and writes. The only place where rows are touched."""
