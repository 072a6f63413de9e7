"""The engine that speaks its own frames on the connection that smbprotocol has authenticated.

smbprotocol costs a thread to hand over to, objects for every field and copies of every payload. Here a request is a few
packed bytes, and an answer is parsed where it was received.
"""
