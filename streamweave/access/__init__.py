"""Users, what they may see, and what they did.

``users``, ``accounts``, ``passwords``, ``login``, ``tokens``
    users, what they do with their own accounts, and how they authenticate
``groups``, ``grants``
    groups and projects, and what is granted to them and to users
``visibility``
    who may see which files: the one rule that every query on files applies
``audit``, ``notifications``
    who changed what, and what users are notified of
"""
