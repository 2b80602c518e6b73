"""Commands that deploy a project, each a thin layer over its `app.py` and the CDK's command line."""
