"""Files, as people find and fetch them.

``queries``, ``selection``, ``listing``, ``transfers``
    what is asked about files: filters, search, pages, history, sums; only of files that the viewer may see
``contents``, ``packing``
    the bytes of an archived version, and many of them as one ZIP
``resolving``, ``dataset``
    from an ARK to what it names, and a file as schema.org metadata
``commands``
    try again, withdraw, reinstate
"""
