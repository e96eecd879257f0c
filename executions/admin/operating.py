"""What operators do in the admin: asked for a word first, done row by row by a command, told what was refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Model
from django.http import HttpRequest
from django.template.response import TemplateResponse
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from contract import json_values
from contract.json_values import JSON
from contract.problems import Refusal

MOST_ROWS = 200
REFUSALS_TOLD = 10


class JsonField(forms.CharField):
    """JSON, written out; nothing written is null."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, widget=UnfoldAdminTextareaWidget(), **options)

    def clean(self, value: Any) -> JSON:
        """The value. Raises ValidationError for what is not JSON."""
        text = super().clean(value)
        try:
            return json_values.parse(text) if text else None
        except json_values.InvalidJson as error:
            raise forms.ValidationError(str(error)) from error


class WordField(forms.ChoiceField):
    """One of some words."""

    def __init__(self, *words: str, **options: Any) -> None:
        choices = [(word, word) for word in words]
        super().__init__(choices=choices, widget=UnfoldAdminSelectWidget(choices=choices), **options)


@dataclass(frozen=True, slots=True)
class Question:
    """What an action asks before it acts. `word` is the answer's name, `longest` its greatest length.

    `others` makes the fields that are asked for beside the word; `wanted` False: the word may be left out.
    """

    action: str
    title: str
    word: str
    longest: int
    button: str
    others: Mapping[str, Callable[[], forms.Field]] = field(default_factory=dict)
    wanted: bool = True

    def form(self, data: Any = None) -> forms.Form:
        """The other fields and, last, `word`."""
        form = forms.Form(data)
        for name, make in self.others.items():
            form.fields[name] = make()
        form.fields["word"] = forms.CharField(
            label=self.word.capitalize(),
            max_length=self.longest,
            widget=UnfoldAdminTextInputWidget(),
            required=self.wanted,
        )
        return form


Command = Callable[..., object]
"""Does it to one row: (row, the word that was asked for, the actor, others by name). Raises a Refusal."""


def ask_and_act(
    admin: ModelAdmin,
    request: HttpRequest,
    rows: Iterable[Model],
    question: Question,
    command: Command,
    *,
    back: str,
    tables: Mapping[str, Any] | None = None,
) -> TemplateResponse | None:
    """The page that asks, and leads `back`; None once it was answered and each row was dealt with, one by one.

    `tables`, by their titles, are shown above the question.
    """
    chosen = list(rows)[:MOST_ROWS]
    form = question.form(request.POST if "_asked" in request.POST else None)
    if form.is_valid():
        _act(admin, request, chosen, question, _answered(question, command, form.cleaned_data))
        return None
    context = {
        **admin.admin_site.each_context(request),
        "title": question.title,
        "question": question,
        "form": form,
        "rows": chosen,
        "tables": tables or {},
        "opts": admin.opts,
        "checkbox": ACTION_CHECKBOX_NAME,
        "back": back,
    }
    return TemplateResponse(request, "executions/ask.html", context)


def actor(user: AbstractBaseUser | AnonymousUser) -> str:
    """The operator's name on record."""
    return f"operator:{user.get_username()}"


def _answered(question: Question, command: Command, answers: Mapping[str, Any]) -> _Answered:
    """The command with what was answered: it takes a row and the actor."""
    others = {name: answers[name] for name in question.others}
    return _Answered(answers["word"], lambda row, by: command(row, answers["word"], by, **others))


@dataclass(frozen=True, slots=True)
class _Answered:
    word: str
    command: Callable[[Model, str], object]


def _act(admin: ModelAdmin, request: HttpRequest, rows: list[Model], question: Question, answered: _Answered) -> None:
    refused: list[str] = []
    for row in rows:
        try:
            answered.command(row, actor(request.user))
        except Refusal as refusal:
            refused.append(f"{row.pk}: {refusal.message}")
        else:
            admin.log_change(request, row, f"{question.title}, {question.word}: {answered.word}")
    _tell(admin, request, question, len(rows) - len(refused), refused)


def _tell(admin: ModelAdmin, request: HttpRequest, question: Question, done: int, refused: list[str]) -> None:
    if done:
        admin.message_user(request, f"{question.title}: {done} done.", messages.SUCCESS)
    for refusal in refused[:REFUSALS_TOLD]:
        admin.message_user(request, f"{question.title}: refused for {refusal}.", messages.ERROR)
    if len(refused) > REFUSALS_TOLD:
        admin.message_user(request, f"{len(refused) - REFUSALS_TOLD} more were refused.", messages.ERROR)
