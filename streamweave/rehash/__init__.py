"""Rehash: archived files are read again at the source, a few with each harvest, since size and mtime don't tell all.

``sampling``
    whose turn it is: a share of the files, the least recently read first, within a budget of bytes
``rereading``
    reads them, and tells whether their content is still what was archived
``findings``
    puts it on record: read and identical, or another content, which becomes a version of its own
``rehashing``
    one round of it, within the instrument's limits and hours
"""
