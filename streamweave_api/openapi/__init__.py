"""The OpenAPI document (3.1), and the page that shows it.

Litestar derives paths, parameters and bodies from the handlers. The rest is added here, each part from one source: what
fields take from the rules of the core, examples from one story that runs through the whole document
(``examples.yaml``), errors, credentials and headers from the kind of route (``answers``, ``document``).
"""
