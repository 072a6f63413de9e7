"""The way of a file, from the share to the catalogued copy. ``run`` takes these steps for one instrument:

``scan``
    list the share, compare with the catalog (``scan_compare``), record what is new, changed or gone
    (``record_changes``). Each is on record (``scan_record``): one that runs out of time is resumed by the next. One
    that finds far too few files is suspect (``share_guard``)
``settle``
    decide that the instrument has finished a file, or an acquisition
``plan``
    let the hooks decide, and plan a transfer to each storage location (``policy`` is the configuration, and how hooks
    are asked)
``transfer``
    claim planned transfers for this run (``claims``), copy them (``copy_workers``), read back and compare
    (``copy_verify``), publish, note in the journal and record the outcome (``commit``, ``version_state``)
``enrich``
    let the hooks add metadata
``source_check``
    read some archived files again at the source, since size and mtime do not show every change

A run may crash anywhere: each step leaves rows from which the next run resumes. Steps find their work by a query, take
it in batches, decide purely, and write a batch by a few statements. ``instrument_changes`` moves known files to another
address; ``report`` and ``backlog`` are for people; ``rate_limit`` protects the control PC.
"""
