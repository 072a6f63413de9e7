"""The archive's own record: what was archived, written next to the copies before the catalog knows of it.

``entries``
    what a line says, and how it is written and read
``keeping``
    a run's journals, how far each is in the catalog, and journals for copies that no journal holds
``merging``
    what entries mean for files that the catalog knows differently, or not at all
``readoption``
    what the catalog does not know is read from the journals: after a restore of an older catalog, before a scan; what
    could not be merged is a conflict, and needs attention
``rebuilding``
    a new catalog from journals alone
"""
