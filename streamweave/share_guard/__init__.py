"""The share guard: a look that finds far too little is an alarm, and nothing is concluded from it.

``expectations``
    what should have stood on the share, and what of it did not
``doubt``
    whether that is to be believed
``cleanups``
    a person says that it is true: somebody cleaned up
"""
