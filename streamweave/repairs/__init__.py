"""Repairs: a copy that is damaged gets a successor, from where its content still is.

``wanted``
    the damaged copies without a successor, and whether it is time to try
``claims``
    one run at a time takes a repair, as a further transfer of the same version to another path
``stored_copies``
    a copy in another storage location, read as a share's file is
``origins``
    where the content may come from: the share if it still has it, else another location
``repairing``
    the copying, which is that of a harvest: staged, read back, published, made durable, catalogued

What stands under the damaged name is evidence: it is never overwritten, moved or deleted.
"""
