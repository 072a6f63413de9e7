"""Hooks: steps that admins configure, before and after a transfer.

``base``
    the contract; ``builtin`` hooks implement it in this process, others call out
``external_hook``, ``scripts``, ``contract``
    hooks that call out to a script or a webhook, and what they may run and reach; question and answer are JSON
``configuration``
    how hooks are configured, and built from their rows
``calls``, ``trial``
    the hooks of a run asked about its files, with every call recorded; and a hook tried on a made-up file
"""
