"""The way of a file, from the share to the catalogued copy. ``run`` takes these steps for one instrument:

``scan``
    list the share, compare with the catalog and record what is new, changed or gone (``record_changes``). Each scan is
    on record, and is resumed by the next if it runs out of time (``scan_record``); one that finds far too few files is
    suspect (``share_guard``)
``settle``
    decide that the instrument has finished a file, or an acquisition
``plan``
    let the hooks decide (``hook_batches``), and plan a transfer to each storage location
``transfer``
    claim planned transfers for this run (``claims``), copy them (``copy_workers``), read back and compare
    (``copy_verify``), publish, note in the journal and catalogue (``commit``; ``version_state`` decides what follows)
``enrich``
    let the hooks add metadata
``source_check``
    read some archived files again at the source, since size and mtime do not show every change

A run may crash anywhere: each step leaves rows from which the next run resumes. Steps find their work by a query, take
it in batches, decide purely, and write a batch by a few statements. ``instrument_changes`` moves known files to another
address; ``progress`` is for people; ``rate_limit`` protects the control PC.
"""
