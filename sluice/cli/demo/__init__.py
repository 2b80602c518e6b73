"""`sluice demo`: a year of New York flights through the pipeline, seeded trouble included, each row accounted for."""
