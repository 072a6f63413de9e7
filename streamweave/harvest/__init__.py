"""The way of a file, in the order in which it is gone:

``discovery``
    list the share, compare with the catalog (``comparison``), record what is new, changed (``changes``) or gone
    (``recording``); a look that runs out of time is gone on with by the next (``coverage``); one that finds far too
    little is not believed (``streamweave.share_guard``)
settling
    decide that the instrument has finished a file, or a folder of them (``streamweave.settling``)
``filtering``
    let the hooks decide, and plan a transfer to each storage location (``planning``)
``claims``
    take planned transfers for this run alone; free those of runs that died (``runs``)
``copying``
    read the source into a staged file, hashing; read the staged file back and compare: ``lanes`` do so side by side,
    with what waits on an ``agenda``, ``small_files`` in batches (``proving``) beside ``large_files``
``publication``
    make it durable, give it its final name without overwriting anything
``cataloguing``
    put the proof, or the failure and what follows from it (``results``, ``failures``), on record
``enrichment``
    let the hooks add metadata
rehash
    read a share of what is archived again at the source (``streamweave.rehash``)

``transfer`` leads from claims to cataloguing over many files at once, within the instrument's ``limits`` and ``hours``;
it tells its ``progress``, and heeds the ``troubles`` of share and storage. ``harvesting`` runs the whole way for one
instrument. Whatever dies, wherever: each step leaves rows from which the next run goes on. Steps find their work by a
query, take it in batches, decide purely on where a version stands (``standing``), and write a batch by a few
statements.
"""
