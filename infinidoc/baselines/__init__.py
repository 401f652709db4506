"""What people build today, as well as they build it: retrieval-augmented generation with the same reader and prompt."""
