"""The way of a file, in the order in which it is gone:

``discovery``
    list the share, compare with the catalog (``comparison``), record what is new, changed or gone
``settling``
    decide that the instrument has finished a file
``filtering``
    let the hooks decide, and plan a transfer to each storage location
``claims``
    take planned transfers for this run alone; free those of runs that died (``runs``)
``copying``
    read the source into a staged file, hashing; read the staged file back and compare
``publication``
    make it durable, give it its final name without overwriting anything
``cataloguing``
    put the proof, or the failure and what follows from it (``failures``), on record
``enrichment``
    let the hooks add metadata

``transfer`` runs claims to cataloguing over many files at once; ``harvesting`` runs the whole way for one instrument.
Whatever dies, wherever: each step leaves rows from which the next run goes on.
"""
