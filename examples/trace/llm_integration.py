"""Ask a model for its reasons, read them out of its answers, and let a gate decide whether they will do.

No model is called here: the two answers were written by hand, as a model might write them, with a slip of the kind that
models make. Look at what became of the slip, and at the gate: neither round passes alone, both together do.
"""

import os
from pathlib import Path

from crucible.trace import Chain, build_causal_prompt, extract_code, parse, parse_to_chain

OUTPUT = Path(os.environ.get("EXAMPLES_OUTPUT_DIR") or "example_traces")

TASK = "Write slugify(title): lower-case words joined by hyphens, for use in web addresses."

FIRST_ROUND = """Let me think about what a slug may hold.

<event type="hypothesis_formed" id="e1">
  <decision>keep ASCII letters and digits, drop everything else</decision>
  <alternatives><alternative>keep Unicode letters</alternative></alternatives>
  <reasoning>such addresses survive being copied &amp; pasted</reasoning>
  <confidence>70%</confidence>
</event>
<event type="ambiguity_flagged" id="e2">
  <decision>"é" becomes "e"</decision>
  <reasoning>the task does not say what happens to accents</reasoning>
  <confidence>fairly sure</confidence>
</event>
<event type="pattern_applied" id="e3" depends_on="e1">
  <decision>one regular expression for the runs between words</decision>
  <reasoning>it never makes two hyphens in a row</reasoning>
  <confidence>0.75</confidence>
</event>
"""

SECOND_ROUND = """Now the code.

<event type="constraint_evaluated" id="e1">
  <decision>no hyphen at either end</decision>
  <reasoning>"words joined by hyphens" leaves none over</reasoning>
  <confidence>0.95</confidence>
</event>
<event type="decision_made" id="e2" depends_on="e1">
  <decision>decompose accents, then drop what is not ASCII</decision>
  <alternatives><alternative>a table of letters</alternative></alternatives>
  <reasoning>unicodedata is in the standard library</reasoning>
  <confidence>0.9</confidence>
</event>
<code>
import re
import unicodedata


def slugify(title):
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")
</code>
"""


def gate(chain: Chain) -> dict[str, str]:
    """Return the verdict of every check: `ok`, `warning` or `error`."""
    mean = chain.statistics().avg_confidence
    ambiguities = len(chain.by_type("ambiguity_flagged"))
    return {
        "at least 3 events": "ok" if len(chain) >= 3 else "error",
        "mean confidence of 0.8": "ok" if mean is not None and mean >= 0.8 else "error",
        "a hypothesis": "ok" if chain.by_type("hypothesis_formed") else "error",
        "ambiguities": "ok" if ambiguities == 0 else "warning" if ambiguities <= 2 else "error",
    }


def show_gate(title: str, chain: Chain) -> None:
    """Print a gate's verdicts, and the outcome."""
    verdicts = gate(chain)
    outcome = "refused" if "error" in verdicts.values() else "passed"
    print(f"  {title:12} {outcome}: " + ", ".join(f"{check} {verdict}" for check, verdict in verdicts.items()))


def main() -> None:
    """Go from the task to the prompt, the answers, the chain, the gate and the code."""
    prompt = build_causal_prompt(TASK, types=["reasoning"])
    print(f"the prompt has {len(prompt.split())} words and begins:\n  {prompt.splitlines()[0]}")

    print("\nthe first answer (written by hand, by no model):")
    answer = parse(FIRST_ROUND)
    for event in answer.events:
        sure = "unsaid" if event.confidence is None else f"{event.confidence:.2f}"
        print(f"  {event.type:20} {sure:7} {event.decision}")
    for issue in answer.issues:
        print(f"  {issue.severity} in line {issue.line}, column {issue.column}: {issue.message}")

    # both rounds call their first event e1: ids count within one answer, and clashing ones are replaced
    rounds = parse_to_chain([FIRST_ROUND, SECOND_ROUND], "slugify, both rounds")
    ids = {event.id for event in rounds}
    print(f"\nboth rounds: {len(rounds)} events, {len(ids)} ids, {len(rounds.validate_relationships())} broken links")

    print("\nthe gate:")
    show_gate("first round", parse_to_chain(FIRST_ROUND, "first"))
    show_gate("second round", parse_to_chain(SECOND_ROUND, "second"))
    show_gate("both", rounds)

    rounds.save(OUTPUT / "llm_integration.json")
    code = extract_code(SECOND_ROUND)
    (OUTPUT / "slugify.py").write_text(f"{code}\n", encoding="utf-8")
    print(f"\nthe code, {len(code.splitlines())} lines, is in {OUTPUT / 'slugify.py'}")


if __name__ == "__main__":
    main()
