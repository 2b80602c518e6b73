"""One object to its records, a file for each format. Cells stay text here; `judging` casts them."""
