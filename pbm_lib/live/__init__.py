"""Pages requested at a fixed rate while claims arrive, and their results. May import load and what load may import."""
