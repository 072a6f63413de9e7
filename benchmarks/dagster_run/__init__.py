"""A run through Dagster beside the same harvest through the core: what does the orchestration cost?

``core_process``
    the harvest through the core, in a process of its own
``system``
    the whole system, as ``streamweave up`` runs it
``timeline``
    a run's events, and the times between them
``benchmark``
    both in turns, and what comes out of it
"""
