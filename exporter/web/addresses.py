"""The addresses of the pages, relative to the page that everything is below. Pure."""

from urllib.parse import quote


def sim_card_page(sim_card_id: str) -> str:
    """Return the address of the page of a SIM card."""
    return f"sim-cards/{quote(sim_card_id, safe='')}"
