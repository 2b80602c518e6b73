"""How a Parquet file of the lake looks: field ids, one partition to a file, copies with rows changed or removed."""
