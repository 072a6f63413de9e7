"""The archive's own record: what was archived, written beside the copies before the catalog knows of it.

``entries``
    what a line says, and how it is written and read
``keeping``
    a run's journals, how far each is in the catalog, and journals for what was archived before there were any
``merging``
    what entries make of a file that the catalog knows otherwise, or not at all: pure. ``known_files`` reads and writes
    such files, ``conflicts`` are what could not be merged without a person
``readoption``
    what the catalog does not know is taken from the journals: after a restore of an older catalog, before a scan
``rebuilding``
    a new catalog from journals alone
"""
