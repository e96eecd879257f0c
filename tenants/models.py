"""Tenants, their API keys and agents, and the answers kept for idempotent requests."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from contract.identifiers import new_id


class Tenant(models.Model):
    """An organisation whose things nobody else sees."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    slug = models.CharField(max_length=63, unique=True)
    name = models.CharField(max_length=255)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(slug__regex=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"), name="tenant_slug"),
        )

    def __str__(self) -> str:
        return self.slug


class ApiKey(models.Model):
    """A key of a tenant. The key itself is shown once, when it is made; its SHA-256 is kept."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="api_keys")
    name = models.CharField(max_length=255)
    hash = models.CharField(max_length=64, unique=True, editable=False)
    prefix = models.CharField(max_length=16, editable=False)
    scopes = ArrayField(models.CharField(max_length=64))
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(hash__regex=r"^[0-9a-f]{64}$"), name="api_key_hash_is_sha256"),
            models.CheckConstraint(condition=Q(scopes__len__gt=0), name="api_key_has_scopes"),
        )
        indexes = (models.Index(fields=("tenant", "id"), name="api_key_by_tenant"),)

    def __str__(self) -> str:
        return f"{self.prefix}... ({self.name})"


class Agent(models.Model):
    """Who carries out a workflow, and which actions it may take."""

    class Status(models.TextChoices):
        """A suspended agent may come back, a revoked one does not."""

        ACTIVE = "active"
        SUSPENDED = "suspended"
        REVOKED = "revoked"

    DEFAULT_NAME = "default"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="agents")
    name = models.CharField(max_length=255)
    description = models.TextField(blank=True, default="")
    actions = ArrayField(models.CharField(max_length=255))
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.ACTIVE)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("tenant", "name"), name="agent_name_is_unique"),
            models.CheckConstraint(condition=Q(status__in=("active", "suspended", "revoked")), name="agent_status"),
        )
        indexes = (models.Index(fields=("tenant", "id"), name="agent_by_tenant"),)

    def __str__(self) -> str:
        return self.name


class IdempotentRequest(models.Model):
    """The answer given to a mutation under a key, written in the mutation's own transaction."""

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="+")
    method = models.CharField(max_length=8)
    path = models.CharField(max_length=1024)
    key = models.CharField(max_length=255)
    body_digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    headers: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField()
    text = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("tenant", "method", "path", "key"), name="idempotent_request_is_unique"),
            models.CheckConstraint(condition=Q(status__gte=200, status__lt=300), name="idempotent_request_succeeded"),
        )
        indexes = (models.Index(fields=("created_at",), name="idempotent_request_by_age"),)

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.key}"
