"""Hooks that call out: scripts and webhooks. They take their time, and they fail for reasons of their own.

So they are never asked while a database session or a lock is held, several files are asked about at once, each call has
an end, a hook that keeps timing out is left alone for the rest of a run (``circuit``), every call is on record
(``watched``), and a file for which one failed is asked about again by the hook's own policy (``policy``). Question and
answer are JSON (``contract``), the same for both kinds.
"""
