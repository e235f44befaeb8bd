"""All claims of a provider: the filter, keyset pages, totals, explain. May import store and anything that store may."""
