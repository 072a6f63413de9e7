"""Hooks: steps that admins configure, before and after a transfer.

``base``
    the contract; ``builtin`` hooks implement it in this process, others call out
``calls``, ``external_hook``, ``scripts``, ``contract``
    hooks that call out to a script or a webhook, about several files side by side, while no session and no lock is
    held; question and answer are JSON
``circuit_breaker``, ``recorded_hook``
    a hook that keeps timing out is skipped for the rest of a run; every call is recorded
``configuration``, ``build``
    how hooks are configured, and made from their rows; ``hook_context`` is what they may run and reach
``run``, ``trial``
    several hooks on one file, and a hook tried on a made-up file
"""
