"""Bytes to lines and cells: compression, encodings, dialects, and where a file may be cut. No contract is read here."""
