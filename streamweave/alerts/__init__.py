"""Alerts: reported once when a condition begins and once when it ends.

``conditions``
    what a condition is; ``share_conditions``, ``file_conditions`` and ``storage_conditions`` find those that hold now
    (``activity_baseline`` is what is usual for an instrument)
``evaluate``
    compares them with the alerts that are open, and records which begin and end, with the messages to be sent
``deliver``
    sends what is due over each of the ``channels``, again until it arrives
``alerts``
    the list of alerts, and their acknowledgement
"""
