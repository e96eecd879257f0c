"""Workflows, their versions, and the templates that bind them to applications.

A version's row never changes but once, when it is published; replacing a draft makes a new row. So whoever holds a
version's id may cache everything that was made of it. A trigger (migration 0002) keeps that.
"""

from __future__ import annotations

import secrets

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from contract.identifiers import new_id
from tenants.models import Agent, Tenant

_SHORT_ID_LETTERS = "23456789abcdefghjkmnpqrstvwxyz"


def new_short_id() -> str:
    """Ten characters that are easy to read out."""
    return "".join(secrets.choice(_SHORT_ID_LETTERS) for _ in range(10))


class Workflow(models.Model):
    """A workflow: its name, which version is live, which is being edited."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="workflows", db_index=False)
    name = models.CharField(max_length=255)
    archived_at = models.DateTimeField(null=True, blank=True)
    paused_at = models.DateTimeField(null=True, blank=True)
    live_version = models.ForeignKey(
        "WorkflowVersion", models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    draft_version = models.ForeignKey(
        "WorkflowVersion", models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    default_agent = models.ForeignKey(Agent, models.PROTECT, null=True, blank=True, related_name="+", db_index=False)
    inline_key = models.CharField(
        max_length=64,
        null=True,
        blank=True,
        editable=False,
        help_text="Of a definition that came with a call to run it: tells such definitions apart.",
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("tenant", "inline_key"), condition=Q(inline_key__isnull=False), name="workflow_inline_once"
            ),
            models.CheckConstraint(
                condition=Q(inline_key__isnull=True) | Q(archived_at__isnull=False),
                name="workflow_inline_is_archived",
            ),
            models.UniqueConstraint(
                fields=("tenant", "name"), condition=Q(archived_at__isnull=True), name="workflow_name_is_unique"
            ),
            models.CheckConstraint(
                condition=~Q(live_version=F("draft_version")), name="workflow_draft_is_not_the_live_version"
            ),
            models.CheckConstraint(
                condition=Q(paused_at__isnull=True) | Q(live_version__isnull=False),
                name="workflow_paused_was_published",
            ),
        )
        indexes = (
            models.Index(fields=("tenant", "id"), name="workflow_by_tenant", condition=Q(inline_key__isnull=True)),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def status(self) -> str:
        """draft, published, paused or archived."""
        if self.archived_at is not None:
            return "archived"
        if self.live_version_id is None:
            return "draft"
        return "published" if self.paused_at is None else "paused"


class WorkflowVersion(models.Model):
    """One version of a definition. `definition` is the exact stored JSON, with `***` in place of every secret.

    `sealed` holds the secrets, encrypted: {JSON Pointer into the definition: value}.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workflow = models.ForeignKey(Workflow, models.CASCADE, related_name="versions", db_index=False)
    name = models.CharField(max_length=255)
    version = models.CharField(max_length=255)
    description = models.TextField(blank=True)
    definition = models.TextField()
    digest = models.CharField(max_length=64)
    sealed = models.TextField(blank=True, editable=False)
    price_amount = models.BigIntegerField(null=True, blank=True)
    price_currency = models.CharField(max_length=3, null=True, blank=True)
    price_refund = models.CharField(max_length=16, null=True, blank=True)
    timeout_seconds = models.FloatField(null=True, blank=True)
    visibility = models.CharField(max_length=16)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    published_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("workflow", "version"), name="workflow_version_is_unique"),
            models.UniqueConstraint(
                fields=("workflow",), condition=Q(published_at__isnull=True), name="workflow_has_one_draft"
            ),
            models.CheckConstraint(
                condition=Q(price_amount__isnull=True, price_currency__isnull=True, price_refund__isnull=True)
                | Q(
                    price_amount__gt=0,
                    price_currency__regex="^[A-Z]{3}$",
                    price_refund__in=("on_failure", "never", "per_step"),
                ),
                name="workflow_version_price",
            ),
            models.CheckConstraint(
                condition=Q(visibility__in=("private", "public_execute")), name="workflow_version_visibility"
            ),
            models.CheckConstraint(
                condition=Q(timeout_seconds__isnull=True) | Q(timeout_seconds__gt=0), name="workflow_version_timeout"
            ),
            models.CheckConstraint(condition=Q(digest__regex="^[0-9a-f]{64}$"), name="workflow_version_digest"),
        )
        indexes = (models.Index(fields=("workflow", "id"), name="workflow_version_in_order"),)

    def __str__(self) -> str:
        return self.version


class Template(models.Model):
    """Binds a published workflow to applications: how its input is made, what its output means."""

    DRAFT = 1
    PUBLISHED = 2

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    short_id = models.CharField(max_length=10, default=new_short_id, editable=False)
    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="templates", db_index=False)
    name = models.CharField(max_length=255)
    description = models.TextField(blank=True)
    workflow = models.ForeignKey(Workflow, models.PROTECT, related_name="templates")
    input = models.TextField(help_text="JSON text")
    outcome = models.TextField()
    status = models.PositiveSmallIntegerField(choices=((DRAFT, "draft"), (PUBLISHED, "published")), default=PUBLISHED)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("tenant", "short_id"), name="template_short_id_is_unique"),
            models.CheckConstraint(condition=Q(status__in=(1, 2)), name="template_status"),
        )
        indexes = (
            models.Index(
                fields=("tenant", "id"),
                name="template_by_tenant",
                condition=Q(deleted_at__isnull=True, status=2),
            ),
        )

    def __str__(self) -> str:
        return self.name
