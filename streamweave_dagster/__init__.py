"""The code location ``streamweave``: the core's harvests as Dagster's assets, sensors, schedules, jobs and checks.

Nothing is decided here: each definition asks the core and puts its answer into Dagster's words.
"""
