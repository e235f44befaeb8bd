"""Performance runs: what is called, timed, and kept. May import `live` and whatever `live` may import."""
