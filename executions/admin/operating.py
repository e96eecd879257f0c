"""What operators do in the admin: asked for a word first, done row by row by a command, told what was refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Model
from django.http import HttpRequest
from django.template.response import TemplateResponse
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextInputWidget

from contract.problems import Conflict

MOST_ROWS = 200
REFUSALS_TOLD = 10


@dataclass(frozen=True, slots=True)
class Question:
    """What an action asks before it acts. `word` is the answer's name, `longest` its greatest length."""

    action: str
    title: str
    word: str
    longest: int
    button: str

    def form(self, data: Any = None) -> forms.Form:
        """The one field, `word`."""
        form = forms.Form(data)
        form.fields["word"] = forms.CharField(
            label=self.word.capitalize(), max_length=self.longest, widget=UnfoldAdminTextInputWidget()
        )
        return form


Command = Callable[[Any, str, str], object]
"""Does it to one row: (row, the word that was asked for, the actor). Raises Conflict where it may not be done."""


def ask_and_act(
    admin: ModelAdmin, request: HttpRequest, rows: Iterable[Model], question: Question, command: Command, *, back: str
) -> TemplateResponse | None:
    """The page that asks, and leads `back`; None once it was answered and each row was dealt with, one by one."""
    chosen = list(rows)[:MOST_ROWS]
    form = question.form(request.POST if "_asked" in request.POST else None)
    if form.is_valid():
        word = form.cleaned_data["word"]
        refused: list[str] = []
        for row in chosen:
            try:
                command(row, word, actor(request.user))
            except Conflict as conflict:
                refused.append(f"{row.pk}: {conflict.message}")
            else:
                admin.log_change(request, row, f"{question.title}, {question.word}: {word}")
        _tell(admin, request, question, len(chosen) - len(refused), refused)
        return None
    context = {
        **admin.admin_site.each_context(request),
        "title": question.title,
        "question": question,
        "form": form,
        "rows": chosen,
        "opts": admin.opts,
        "checkbox": ACTION_CHECKBOX_NAME,
        "back": back,
    }
    return TemplateResponse(request, "executions/ask.html", context)


def actor(user: AbstractBaseUser | AnonymousUser) -> str:
    """The operator's name on record."""
    return f"operator:{user.get_username()}"


def _tell(admin: ModelAdmin, request: HttpRequest, question: Question, done: int, refused: list[str]) -> None:
    if done:
        admin.message_user(request, f"{question.title}: {done} done.", messages.SUCCESS)
    for refusal in refused[:REFUSALS_TOLD]:
        admin.message_user(request, f"{question.title}: refused for {refusal}.", messages.ERROR)
    if len(refused) > REFUSALS_TOLD:
        admin.message_user(request, f"{len(refused) - REFUSALS_TOLD} more were refused.", messages.ERROR)
