"""The shipped dashboards and their location; it must not know their contents."""

from pathlib import Path

from dashboards import exporter_health, sim_card_actions
from dashboards.board import as_json

FOLDER = Path(__file__).parents[1] / "helm" / "telnyx-sim-exporter" / "files" / "dashboards"


def shipped() -> dict[str, str]:
    """Return the content of each file by its name."""
    return {
        "sim-card-actions.json": as_json(sim_card_actions.build()),
        "exporter-health.json": as_json(exporter_health.build()),
    }
