"""Print how good an adapter is on labelled cases: `python -m crucible.data.guardrails CASES.jsonl …`.

A file's name is its category: pii, prompt_injection, jailbreak or content.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from crucible.data.guardrails.adapter import GuardrailAdapter, ScanOptions, get_adapter
from crucible.data.guardrails.finding import Category
from crucible.data.guardrails.measure import Case, measure, read_cases
from crucible.data.guardrails.profiles import PROFILES

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table of precision and recall, one row a file, part of its cases and profile.

    Args:
        arguments: Command line; None: that of the process.

    Returns:
        The exit code: 0.
    """
    parser = argparse.ArgumentParser(prog="python -m crucible.data.guardrails", description=__doc__)
    parser.add_argument("cases", type=Path, nargs="+", help="JSONL files named after their category")
    parser.add_argument("--adapter", default="rules")
    parser.add_argument("--adapter-options", type=json.loads, default={}, help="JSON object")
    parser.add_argument("--profile", choices=list(PROFILES), action="append", help="default: all of them")
    parser.add_argument("--wrong", action="store_true", help="print the cases that it gets wrong, too")
    given = parser.parse_args(arguments)
    adapter = get_adapter(given.adapter, given.adapter_options)
    sys.stdout.write(
        "| cases | profile | part | violations | others | precision | recall |\n|---|---|---|---|---|---|---|\n"
    )
    for path in given.cases:
        cases = read_cases(path)
        if given.adapter != "rules":  # the rules that cases name are the built-in ones; others count by category
            cases = [msgspec.structs.replace(case, rule=None) for case in cases]
        for profile in given.profile or PROFILES:
            for part in dict.fromkeys(case.set for case in cases):
                chosen = [case for case in cases if case.set == part]
                _row(adapter, Category(path.stem), (profile, part), chosen, is_loud=given.wrong)
    return 0


def _row(
    adapter: GuardrailAdapter, category: Category, names: tuple[str, str], cases: list[Case], *, is_loud: bool
) -> None:
    quality = measure(adapter, category, cases, ScanOptions(PROFILES[names[0]]))
    counts = [quality.found + quality.missed, quality.false_alarms + quality.quiet]
    shares = ["none" if share is None else f"{share:.2f}" for share in (quality.precision, quality.recall)]
    sys.stdout.write("| " + " | ".join([category.value, *names, *map(str, counts), *shares]) + " |\n")
    for text in quality.wrong if is_loud else ():
        sys.stdout.write(f"    {text!r}\n")


if __name__ == "__main__":
    sys.exit(main())
