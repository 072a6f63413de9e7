"""The catalog at a million files: real HTTP, the real service, one client.

``world`` says what is in the catalog, ``filling`` copies it in, ``serving`` runs the service over it, ``questions`` are
what is asked, ``stopwatch`` takes the times, ``downloads`` asks beside slow clients, ``report`` holds the goals.
"""
