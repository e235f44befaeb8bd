"""The watch: pages requested at a fixed rate while claims arrive. May import load and what load may import."""
