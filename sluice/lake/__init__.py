"""The lake: Iceberg tables on the Glue catalog, and the objects that they are made of. The only Iceberg writer."""
