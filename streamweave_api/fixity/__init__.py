"""What re-readings of the archive found, over HTTP."""
