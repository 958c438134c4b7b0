"""Where central's memory lives: the tables, how they came to be (migrations), and the one way to open them.

Not what the rows mean: ingest, declarations, accounts and audit each know their own.
"""
