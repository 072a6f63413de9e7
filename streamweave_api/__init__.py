"""StreamWeave's REST service: the catalog, its configuration, and who may see what.

One folder for each noun: ``schemas.py`` holds the bodies that go in and out, ``routes.py`` translates between HTTP and
the core. Decisions are the core's; the routes commit.
"""
