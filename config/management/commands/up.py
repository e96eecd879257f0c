"""`manage.py up`: the whole stack in the foreground."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config.stack.child import StackError
from config.stack.data_dir import DataDir
from config.stack.supervisor import Supervisor


class Command(BaseCommand):
    """Runs until Ctrl-C; prints `ready http://HOST:PORT` on stdout when it serves."""

    help = "Start servers, web, workers and sweeper; print 'ready http://HOST:PORT' when they serve; end with Ctrl-C."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError with the reason if the stack cannot start."""
        supervisor = Supervisor(
            DataDir.of_this_checkout(),
            settings.HOST,
            settings.PORT,
            postgres=settings.EMBEDDED_POSTGRES,
            valkey=settings.EMBEDDED_VALKEY,
        )
        try:
            supervisor.run()
        except StackError as error:
            raise CommandError(str(error)) from None
