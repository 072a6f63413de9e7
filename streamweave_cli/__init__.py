"""StreamWeave at a terminal: its commands, and the whole system on one machine (`streamweave up`)."""
