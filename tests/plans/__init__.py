"""What lists and background work cost at a million executions: `python -m tests.plans` fills a database, and tells."""
