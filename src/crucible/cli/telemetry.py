"""The commands below `crucible telemetry`: what was recorded, read, given away, kept and removed."""

from __future__ import annotations

import typer

from crucible.cli.telemetry_anomalies import telemetry_anomalies
from crucible.cli.telemetry_compare import telemetry_compare
from crucible.cli.telemetry_export import telemetry_export
from crucible.cli.telemetry_keeping import telemetry_archive, telemetry_import, telemetry_remove, telemetry_restore
from crucible.cli.telemetry_list import telemetry_list
from crucible.cli.telemetry_show import telemetry_show
from crucible.cli.telemetry_tail import telemetry_tail

__all__ = ["telemetry"]

telemetry = typer.Typer(help="What was recorded: events and series of runs and experiments.", no_args_is_help=True)
for _name, _command in {
    "list": telemetry_list,
    "show": telemetry_show,
    "tail": telemetry_tail,
    "export": telemetry_export,
    "compare": telemetry_compare,
    "anomalies": telemetry_anomalies,
    "archive": telemetry_archive,
    "restore": telemetry_restore,
    "import": telemetry_import,
    "remove": telemetry_remove,
}.items():
    telemetry.command(_name)(_command)
