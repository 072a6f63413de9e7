"""The archive's own record: what was archived, written down beside it before the catalog knows of it.

``entries``
    what a line says, and how it is written and read
``keeping``
    a run's journals: a batch is noted once it is durable, and before it is catalogued
``positions``
    how far each journal is in the catalog
``merging``
    what entries make of a file that the catalog knows otherwise, or not at all; pure
``known_files``
    these files, read from the catalog and written back
``readoption``
    what the catalog does not know is taken from the journals: after a restore of an older catalog, before a scan
``conflicts``
    what journals and catalog say differently, for a person
``completing``
    copies that no journal holds are noted: from before there were any, or one was lost
``rebuilding``
    a new catalog from journals alone
"""
