"""How fast it is, measured beside what people would use otherwise: ``python -m benchmarks``.

``setting``
    what every benchmark is given: how many rounds, at what scale, where
``report``
    what every benchmark hands back: tables, goals met or missed, and every number
``contest``
    contestants that do the same work in turns, round by round, so that a noisy machine is as unkind to all of them
``site``
    a share with data on it, a server that serves it, and fresh catalogs
``proof``
    that everyone did what they were timed for
``transfer``, ``listing``, ``dagster_run``, ``catalog``
    the benchmarks; ``registry`` names them

Nothing imports this package. Nothing in it decides whether a test passes: tests only see that it still runs.
"""
