"""Storage locations: where copies are kept, and under which path.

``base``
    the contract of a storage location and of its journal
``posix``, ``s3``
    a folder, and a prefix of a bucket. ``staging``, ``safe_path``, ``file_io`` and ``flushing`` are parts of the first
``locations``, ``roots``
    how admins enter one, and where it may lie
``marks``, ``marking``
    the mark by which a place is recognised, and refused if it is another one
``archive_paths``
    the path of a version within a location, and the next free name
``opening``
    from a row of the catalog to a storage that can be written to
"""
