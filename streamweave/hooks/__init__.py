"""Hooks: steps that admins configure, before and after a transfer.

``base``
    the contract; ``builtin`` hooks keep it in this process, others call out
``calls``, ``external_hook``, ``scripts``, ``contract``
    hooks that call out to a script or a webhook: several files are asked about at once, with no session and no lock
    held. Question and answer are JSON
``circuit_breaker``, ``recorded_hook``
    a hook that keeps timing out is skipped for the rest of a run; every call is on record
``configuration``, ``build``
    how hooks are entered, and made from their rows; ``hook_context`` is what they may run and reach
``run``, ``trial``
    several hooks on one file, and a hook tried on a made-up file
"""
