"""Transfer: a share's files brought here, by us and by what people would use otherwise.

``contestants``
    who takes part in what
``harvest_process``
    our harvest, in a process of its own
``benchmark``
    the contests, and what comes out of them
"""
