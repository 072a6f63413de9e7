"""Scripts of hooks: from the one folder that the facility sets, each run in a process of its own, within limits."""
