"""`python -m tests.chaos`: a real stack under load and faults for minutes, then an audit of everything it recorded."""
