"""The whole system on one machine: its home, its keys, its own PostgreSQL, and the supervisor of its processes."""
