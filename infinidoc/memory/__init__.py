"""What lasts: compressive state, addresses, text and manifest."""
