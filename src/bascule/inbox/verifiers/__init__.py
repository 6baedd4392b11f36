"""How services sign their webhooks, one module for each scheme. None of them knows a connection:
the source that a room registers gives the secrets, or the keys.
"""
