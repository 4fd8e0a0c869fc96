"""Pictures of an association: its events and picks, beside the truth where it is known."""
