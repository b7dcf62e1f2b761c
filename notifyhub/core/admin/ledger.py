"""Lists that stay fast on any size, and pages of what only machines write."""

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest
from django.utils.functional import cached_property
from unfold.admin import ModelAdmin

COUNT_CAP = 10_000


class CappedPaginator(Paginator):
    """A paginator that never counts past 10,000 rows; a longer list shows "10,001"."""

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        if hasattr(rows, "order_by"):
            return rows.order_by()[: COUNT_CAP + 1].count()
        return len(rows)


class LedgerAdmin(ModelAdmin):
    """A list and a read-only page; nobody adds, changes or deletes here by hand."""

    show_full_result_count = False
    paginator = CappedPaginator
    list_per_page = 50
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
