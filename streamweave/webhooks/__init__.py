"""Webhooks: signed requests to addresses that people enter, and only to where the facility lets them go.

A request is signed as Standard Webhooks has it (https://www.standardwebhooks.com), so that ready-made receivers work:

=====================  =========================================================================================
``webhook-id``         the message's own name; the same at every further attempt, so that a receiver acts once
``webhook-timestamp``  when this attempt was made: whole seconds since 1970, UTC
``webhook-signature``  ``v1,`` and, in Base64, HMAC-SHA256 over ``{id}.{timestamp}.{body}``
=====================  =========================================================================================

The key is what the secret ``whsec_…`` holds in Base64: 24 to 64 bytes. A receiver computes the signature itself,
compares in constant time, and refuses a timestamp more than five minutes from its own clock: ``signing.is_genuine``
does all that.

An address is a way into the facility's network for whoever enters it. Therefore names are looked up once, every address
found is judged (``egress``), and the connection goes to a judged one (``network``). Nothing is redirected, no proxy is
asked, and one deadline holds for everything together.
"""
