"""Fixity: what the archive holds is re-read, and must still be what the catalog says.

``quota``, ``turns``
    how much of a storage location is re-read in a night, and which copies come next
``rereading``, ``doubts``
    one copy is held against the catalog; one that can't be read is damaged if others there can be read
``sweeping``, ``recording``
    a location's copies are re-read in turn, and each batch of findings is put on record
``requested``
    a sweep over those copies that somebody wants to know about now
``guard``, ``release``
    too much damage at once holds the location, until a person has looked and releases it
``conclusions``, ``damage``
    what is damaged is given up as a copy; ``streamweave.repairs`` gives it a successor
``standing``, ``questions``
    how long ago things were re-read, and what was found
``verification``, ``strays``, ``glances``
    archive and catalog compared completely, both ways
"""
