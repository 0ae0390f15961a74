"""The command `crucible compare`: files of results of any tool, and whether what is in them really differs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import typer

from crucible.cli.compare_options import (
    AllPairsOption,
    AlphaOption,
    BaselineOption,
    ClusterOption,
    ColumnOption,
    CorrectionOption,
    FailOnWorseOption,
    FailuresOption,
    FilesArgument,
    Form,
    FormatOption,
    GroupOption,
    ItemOption,
    JsonOption,
    LabelOption,
    LevelOption,
    LowerOption,
    MetricOption,
    Pairing,
    PairOption,
    PromptOption,
    ReadAsOption,
    RepeatOption,
    TestOption,
    TrustOption,
    UnmatchedOption,
)
from crucible.cli.failure import RUN_FAILED, handled
from crucible.errors import SpecError, StatsError, StoreError

if TYPE_CHECKING:
    from crucible.stats.conditions.design import Design
    from crucible.stats.conditions.observations import Condition
    from crucible.stats.readers import Asked, ReadFile
    from crucible.stats.result import TestResult

__all__ = ["compare"]


@handled
def compare(
    files: FilesArgument,
    metric: MetricOption = "",
    item: ItemOption = "",
    group: GroupOption = "",
    columns: ColumnOption = None,
    repeat: RepeatOption = "",
    prompt: PromptOption = "",
    cluster: ClusterOption = "",
    read_as: ReadAsOption = "",
    labels: LabelOption = None,
    trust_ids: TrustOption = False,
    baseline: BaselineOption = "",
    pair: PairOption = Pairing.ID,
    test: TestOption = "auto",
    alpha: AlphaOption = 0.05,
    level: LevelOption = None,
    failures: FailuresOption = "exclude",
    unmatched: UnmatchedOption = "refuse",
    correction: CorrectionOption = "holm",
    all_pairs: AllPairsOption = False,
    form: FormatOption = Form.TEXT,
    as_json: JsonOption = False,
    fail_on_worse: FailOnWorseOption = False,
    lower_is_better: LowerOption = False,
) -> None:
    """Compare files of per-item results with the first of them: is the difference real?

    Exit codes: 0 compared, whatever was found; 1 a treatment is worse, with --fail-on-worse; 2 bad input.
    """
    from crucible.stats.conditions.design import Design, compare_all
    from crucible.stats.readers import Asked, check_used

    asked = Asked(
        format=read_as,
        metric=metric,
        item=item,
        group=group,
        repeat=repeat,
        prompt=prompt,
        cluster=cluster,
        columns=tuple(columns or ()),
        trusts_ids=trust_ids,
        is_alone=len(files) == 1,
    )
    design = Design(
        failures=failures,
        test=test,
        alpha=alpha,
        level=round(1.0 - alpha, 12) if level is None else level,
        unmatched=unmatched,
        correction=correction,
        all_pairs=all_pairs,
    )
    try:
        read = [_read(file, asked) for file in files]
        check_used(read, asked)
        conditions = _conditions(read, labels or (), baseline, pair)
        results = compare_all(conditions, design)
    except (StatsError, StoreError) as error:
        raise SpecError(str(error)) from error
    _tell(Form.JSON if as_json else form, read, conditions, results, design)
    if fail_on_worse and any(_is_worse(result, lower_is_better=lower_is_better) for result in results):
        raise typer.Exit(RUN_FAILED)


def _read(file: Path, asked: Asked) -> ReadFile:
    from crucible.stats.readers import read_file

    return read_file(file, asked)


def _conditions(read: Sequence[ReadFile], labels: Sequence[str], baseline: str, pair: Pairing) -> tuple[Condition, ...]:
    """Return the conditions in the order of the comparison, the baseline first, paired as was asked."""
    from crucible.ir import did_you_mean
    from crucible.stats.readers import labelled

    found = labelled(read, labels)
    if len(found) < 2:
        raise SpecError(
            f"{read[0].path} holds one condition, and a comparison needs two: name a second file, the column that "
            "splits this one (--group), or columns that are conditions of their own (--column, once for each)"
        )
    if baseline:
        known = [condition.label for condition in found]
        if baseline not in known:
            hint = did_you_mean(baseline, known)
            raise SpecError(f'--baseline: no condition is called "{baseline}"{hint}; they are: {", ".join(known)}')
        found = tuple(sorted(found, key=lambda condition: condition.label != baseline))
    if pair is Pairing.ROW:
        return tuple(condition.by_position() for condition in found)
    if pair is Pairing.NONE:
        return tuple(msgspec.structs.replace(condition, by_item=False) for condition in found)
    return found


def _is_worse(result: TestResult, *, lower_is_better: bool) -> bool:
    return result.direction == (1 if lower_is_better else -1)


def _tell(
    form: Form,
    read: Sequence[ReadFile],
    conditions: Sequence[Condition],
    results: Sequence[TestResult],
    design: Design,
) -> None:
    from crucible.cli.compare_telling import print_data_of, print_results, rendered

    if form is Form.JSON:
        print_data_of(read, conditions, results)
    elif form is Form.TEXT:
        print_results(read, conditions, results, design)
    else:
        typer.echo(rendered(form, results, design))
        for file in read:
            for note in file.notes:
                typer.echo(f"note: {file.path}: {note}", err=True)
