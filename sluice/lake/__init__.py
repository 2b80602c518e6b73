"""Iceberg tables: make them ready, publish to them, look after them. The only place that commits."""
