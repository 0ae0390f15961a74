"""How an event is understood: what each category says, durations, tokens, costs and outcomes, whatever a payload holds.

`crucible.telemetry.enrichment` puts it together; nothing in here raises for what an event holds.
"""
