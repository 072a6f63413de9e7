"""People, what they may see, and what they did.

``users``, ``registration``, ``passwords``, ``password_changes``, ``login``, ``tokens``
    who somebody is, and how they prove it
``groups``, ``projects``, ``grants``
    whom something is granted to, and what
``visibility``
    who may see which files: the one rule that every query on files passes. ``access_paths`` are the ways in which a
    file is open to somebody, ``access_scope`` is what is open to one person, ``visible_page`` the first page of a long
    list
``audit``, ``notifications``
    who did what, and what people are told
"""
