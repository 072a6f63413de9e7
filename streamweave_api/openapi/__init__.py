"""The OpenAPI document (3.1), and the page that shows it.

Litestar derives paths, parameters and bodies from the handlers. What it can't know is added here, each part from the
one place that knows it: what fields take from the rules of the core (``bodies``), examples from one story that runs
through the whole document (``examples.yaml``), errors, credentials and headers from what kind of route it is.
"""
