"""How fast and how big: infinidoc's ingest beside what a user would use instead. Run it: python -m benchmarks.ingest"""
