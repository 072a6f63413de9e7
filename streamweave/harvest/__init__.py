"""The way of a file, from the share to the catalogued copy. ``run`` takes these steps for one instrument:

``scan``
    list the share, compare with the catalog (``scan_compare``), record what is new, changed or gone
    (``record_changes``). A scan that runs out of time is resumed by the next (``scan_checkpoint``); one that finds far
    too few files is suspect (``share_guard``). Each is on record (``scan_record``)
``settle``
    decide that the instrument has finished a file, or an acquisition (``settle_rules`` decides, purely)
``plan``
    let the hooks decide, and plan a transfer to each storage location (``policy`` is the configuration)
``transfer``
    claim planned transfers for this run (``claims``), copy them (``copy_workers`` take work from ``work_queue``), read
    back and compare (``copy_verify``), publish and note in the journal (``commit_batch``), and record the outcome
    (``catalogue``, ``version_state``)
``enrich``
    let the hooks add metadata (``hook_batches`` is how both steps ask hooks)
``source_check``
    read some archived files again at the source, since size and mtime do not show every change

A run may crash anywhere: each step leaves rows from which the next run resumes. Steps find their work by a query, take
it in batches, decide purely, and write a batch by a few statements. ``instrument_changes`` moves known files to another
address; ``progress``, ``report`` and ``backlog`` are for people; ``rate_limit`` protects the control PC.
"""
