"""Archived copies: read again, repaired, and certified.

``sweep``
    the copies of a storage location are read again, each night or on demand
``reread``
    which copies are next, and how they are compared with the catalog; one that can't be read is damaged if others of
    that location can be
``damage``
    damaged copies are marked; too many at once put the location on hold until a person releases it
``verification``
    archive and catalog compared completely, both ways
``report``
    how long ago copies were read again, and what was found
``repair``
    a damaged copy gets a successor, from the share or another storage location. The damaged file is evidence: it is
    never overwritten, moved or deleted
``certificates``
    may this be deleted at the source?
"""
