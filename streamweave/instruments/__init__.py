"""What admins configure of an instrument.

``instruments``, ``fields``
    instruments and the rules of their fields
``service_accounts``, ``schedules``, ``requests``
    credentials for their shares, harvest schedules, and requests for new instruments
``acquisition``, ``dagster``, ``connection_test``
    an instrument's calendar, requests to Dagster's webserver, and whether a share can be listed
"""
