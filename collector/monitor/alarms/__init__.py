"""Alarms by ISA-18.2 on top of the judge's transitions. Pure: events, commands and plant time in, events out."""
