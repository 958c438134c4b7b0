"""Accounts, roles, sign-in limits, and the audit log of what people did."""
