"""Faults need Samba: impacket knows no share modes."""

from simlab.shares import available_kinds

collect_ignore = [] if "samba" in available_kinds() else ["test_scenarios.py", "test_by_hand.py"]
