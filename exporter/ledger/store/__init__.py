"""Where the ledger is kept: one port (`protocol`), a module a database."""
