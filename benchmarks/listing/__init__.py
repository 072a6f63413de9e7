"""Listing: every file of a share, with its size and times, by us and by others.

``listing_process``
    our listing, in a process of its own
``contestants``
    who takes part
``benchmark``
    the contest, and what comes out of it
"""
