"""Every business rule: one use case is one function and one transaction.

Services know no HTTP and no Telegram; faces call them with plain values and get plain values back.
They raise kinds of `app.errors`. A public writer opens `transaction()` once; private functions
take its session and never commit; public writers do not call each other.
"""
