"""From data to posterior at once: what a forward proposes, and what makes it the posterior."""
