"""The parameters of a request for a page: all that the API documents.

Source: Telnyx' OpenAPI document, `GET /sim_card_actions`.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Query:
    """The parameters of one request for a page; None is not sent."""

    page: int = 1
    size: int = 250
    status: str | None = None
    action_type: str | None = None
    sim_card_id: str | None = None
    bulk_id: str | None = None

    def params(self) -> dict[str, str]:
        """Return the parameters by the names that the API uses."""
        named = {
            "page[number]": str(self.page),
            "page[size]": str(self.size),
            "filter[status]": self.status,
            "filter[action_type]": self.action_type,
            "filter[sim_card_id]": self.sim_card_id,
            "filter[bulk_sim_card_action_id]": self.bulk_id,
        }
        return {name: value for name, value in named.items() if value is not None}
