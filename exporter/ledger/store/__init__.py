"""Where the ledger is stored: the protocol of a store (`protocol`), and a module per database."""
