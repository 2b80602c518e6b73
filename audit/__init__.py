"""Other people's checkers over what is deployed and how: `make audit`. All offline; one file a tool.

Templates of two profiles are judged: `dev` as it is deployed by default, and `prod` hardened. A finding is corrected,
or acknowledged beside the construct that it concerns (`stacks.acknowledged`); anything else fails, and so does an
acknowledgement that meets no finding. Nothing here is deployed, and the stacks know nothing of it.
"""
