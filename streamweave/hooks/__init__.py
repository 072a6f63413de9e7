"""Hooks: steps that admins configure, before and after a transfer.

``base``
    the contract; ``builtin`` hooks implement it in this process, others call out
``external_hook``, ``scripts``
    hooks that call out to a script or a webhook, with question and answer as JSON, and what they may run and reach
``configuration``
    how hooks are configured, and built from their rows
``calls``, ``trial``
    the hooks of a run asked about its files, with every call recorded; and a hook tried on a made-up file
"""
