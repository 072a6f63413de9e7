"""Files: finding, fetching and resolving them.

``queries``, ``selection``, ``listing``
    filters, search, pages, history, sums; only of files that the viewer may see
``contents``, ``packing``
    the bytes of an archived version, and many versions as one ZIP
``resolving``
    from an ARK to what it names
``commands``
    retry, withdraw, reinstate
"""
