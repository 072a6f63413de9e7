"""The soak: everything is killed, crashed and broken, and the archives are held against the source: ``python -m soak``.

``proof``
    what "nothing was lost" means, rule by rule, over the ``evidence``
``trial``
    one instrument that writes (``data``), a fresh catalog, two archives; at a ``site`` with a real database and server
``victims``
    harvests in processes of their own, whose ``orders`` say how to end; ``wrapping`` kills at a point of the code,
    ``disk`` breaks what a process sees of a folder
``points``
    the steps of a harvest at which it is killed
``experiments``
    scenarios, kill points, random kills, crashes of database and server, broken disks, restores of older catalogs and
    archives, disks in the wrong place, a second catalog, killed services
``certifying``
    certificates, held against what is in the archives
``ledger``, ``presentation``
    the runs, and the tables that are made of them

Nothing imports this package but tests, which make a few of its runs. Victims die by SIGKILL, which a process can't see
coming; the machine stays on, so what a power failure does to a disk is not shown here.
"""
