"""How each CloudFormation type is created over the SDK: one small function a type, and the properties that it honours.

A type or property that is not in these tables is refused. `harmless` lists properties that change nothing offline.
"""
