"""All claims of a provider: the filter, keyset pages, totals, explain. May import store and what store may import."""
