"""Sluice: files dropped into S3 become tables that people can trust."""
