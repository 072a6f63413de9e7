"""The catalog: the Postgres database in which every state of every file is a row.

``tables``, ``schema``
    the tables, and how a database is brought up to date (Alembic, ``migrations``)
``session``, ``bulk``, ``pages``, ``deletion``
    how it is reached, many rows by one statement, long lists in pages, deleting without forgetting
``leases``
    heartbeats by the database's clock: which runs are alive
"""
