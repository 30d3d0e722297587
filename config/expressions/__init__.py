"""Expressions over roles and statistics: `jacket_temperature - product_temperature <= 60`. Text to a checked tree; pure."""
