"""The server and its claims collection: connection, rule, index, sizes. May import claims and what claims may."""
