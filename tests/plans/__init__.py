"""What each list costs at a million executions: `python -m tests.plans` fills a database of its own and shows it."""
