"""StreamWeave's REST service: the catalog, its configuration, and who may see what.

One module for each noun, with the bodies that go in and out and the routes, which translate between HTTP and the core.
What admins configure has the same routes everywhere, which ``resources`` makes. Decisions are the core's; the routes
commit.
"""
