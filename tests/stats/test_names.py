"""One vocabulary for tests and corrections."""

from __future__ import annotations

import pytest

from crucible.errors import StatsError
from crucible.stats import CORRECTION_ALIASES, TEST_ALIASES, canonical_correction, canonical_test
from crucible.stats.names import TEST_TITLES


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("mann_whitney", "mannwhitney"),
        ("mannwhitney", "mannwhitney"),
        ("t_test", "ttest"),
        ("kruskal_wallis", "kruskal"),
        ("paired_t_test", "paired_ttest"),
        ("Wilcoxon signed-rank", "wilcoxon"),
        ("McNemar mid-p", "mcnemar_midp"),
        ("Tukey HSD", "tukey"),
        ("Games-Howell", "games_howell"),
        ("Dunn's", "dunn"),
        ("post-hoc", "posthoc"),
        ("Cochran's Q", "cochran_q"),
        ("ttest_1samp", "one_sample_ttest"),
        ("sign_flip", "permutation"),
        ("proportions_ztest", "two_proportion_z"),
    ],
)
def test_the_predecessors_words_are_known(word: str, name: str) -> None:
    """Both spellings of each test that documents use lead to one name."""
    assert canonical_test(word) == name


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("tuky", "tukey"),
        ("permutaton", "permutation"),
        ("cochran_w", "cochran"),
        ("nemeny", "nemenyi"),
        ("dun", "dunn"),
    ],
)
def test_a_word_that_is_close_has_a_hint(word: str, hint: str) -> None:
    """Did you mean."""
    with pytest.raises(StatsError, match=f'unknown test "{word}"; did you mean "{hint}'):
        canonical_test(word)


def test_every_alias_leads_to_a_name_that_leads_to_itself() -> None:
    """No chains, no dead ends."""
    for aliases, canonical in ((TEST_ALIASES, canonical_test), (CORRECTION_ALIASES, canonical_correction)):
        for word, name in aliases.items():
            assert canonical(word) == name == canonical(name)
    assert set(TEST_ALIASES.values()) == set(TEST_TITLES)
