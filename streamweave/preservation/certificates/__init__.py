"""Certificates: may this file, or this folder, be deleted at the source?

``evidence``
    what an answer rests on, as frozen values, read from the catalog batch by batch
``archive_check``
    checks the marks of the storage locations, and each copy there; if asked for, reads the bytes again now
``judgement``
    safe, or every reason why not: pure. A certificate names the version of its rules, ``RULES``
``document``
    a certificate as canonical JSON, with the proof chain of each file, its digest and signature; and as plain text
``issue``
    draws a certificate up, and puts it on record
"""
