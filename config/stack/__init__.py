"""The processes of one installation: embedded servers, web, workers and sweeper, started and stopped as one."""
