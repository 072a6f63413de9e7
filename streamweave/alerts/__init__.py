"""Alerts: what a person has to be told, once when it begins and once when it is over. In the order in which it is done:

``findings``
    ask the catalog what is wrong at this moment; one file for each question: ``overdue_files``, ``shares`` (how the
    ``looks`` at them went), ``silent_instruments`` (what is ``usual`` is decided purely), ``damaged_copies``,
    ``failing_hooks``, ``full_storage``, ``unproven_storage``, ``refused_storage``, ``unlisted_folders``,
    ``conflicting_journals``
``comparison``
    compare that with the alerts that are open: which begin, go on, and end. Pure
``recording``
    write it down, together with the messages that are to be sent (``receivers``)
``delivering``
    send what is due (``messages`` words it), each channel for itself (``channels``), again and again until it arrives

``evaluating`` does all of this. ``questions`` and ``commands`` are for people.
"""
