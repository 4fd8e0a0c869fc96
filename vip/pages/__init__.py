"""Pictures on a page: the style that all have in common, and the page itself; for runs and for what plugins make."""
