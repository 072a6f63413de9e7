"""Shares: where files come from.

``base`` is the contract behind which a share is listed and read, ``smb`` reads shares over SMB 2 and 3, ``opening``
leads from a row of the catalog to a source.
"""
