"""Settling: has the instrument finished this file? Judged by what *we* saw, on our clock; its own times prove nothing.

``judging``
    decides, purely, on what our looks saw of a file and of the acquisition that it belongs to
``acquisitions``
    folders whose files settle as one; those that changed again before they were harvested start anew (``reopening``)
``writers``
    asks the server who holds a file open
``watching``
    which files there is something to decide about
``settling``
    judges all of them, alike ones at once, and puts it on record
``growth``
    reads what stands of a file that goes on growing, so that it is proven all the same
"""
