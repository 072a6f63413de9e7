"""Certificates: may this file, or this folder, be deleted at the source?

``evidence``
    what an answer rests on, as frozen values; ``circumstances`` and ``questions`` read it from the catalog, the latter
    batch by batch
``judgement``
    safe, or every one of the ``reasons`` why not: pure
``rereading``
    if asked for, reads the bytes again now, at the source and in the archive, and adds that to the evidence
``statements``
    what is certified of one file, with the proof chain behind it
``tally``
    what that comes to for a folder
``documents``
    a certificate as canonical JSON, with its digest; ``signing`` signs it
``issuing``
    draws a certificate up, and keeps on record who was told what

The rules, of which a certificate names the version: ``judgement.RULES``.
"""
