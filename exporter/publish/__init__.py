"""Who is told: metrics (all declared in one place), the journal, the exporter's own health."""
