"""The kernel: DuckDB code that turns files into judged rows. The only place where rows are touched.

Four rooms follow a row on its way, each knows only those before it: `framing` (bytes to lines and cells), `readers`
(an object of each format to records of text cells), `judging` (records to verdicts) and `writing` (verdicts to files).
`layout` is how a Parquet file of the lake looks. `transform` and `exchange` are the doors.

How a cell's text becomes a typed value is no code here: it is SQL that `sluice.contract.casts` compiles into the plan.
"""
