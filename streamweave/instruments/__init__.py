"""What admins configure of an instrument: ``instruments`` themselves, their ``fields`` and ``addresses``, the
``service_accounts`` that open their shares, ``schedules``, and ``requests`` for new ones. ``acquisition`` is the
calendar of an instrument, ``dagster`` how Dagster's webserver is asked.
"""
