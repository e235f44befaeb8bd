"""Pages at a fixed rate while claims arrive, and what was seen of them. May import load and what load may."""
