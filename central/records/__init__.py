"""Central's database: the tables, their migrations, and the one way to open them.

Ingest, declarations, accounts and audit each know what their own rows mean.
"""
