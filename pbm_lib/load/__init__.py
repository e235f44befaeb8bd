"""Bring the collection to exactly the configured claims, in parallel. May import query and what query may import."""
