"""scikit-learn's own checks of the estimators."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from occamscope.laws import LawClassifier, LawRegressor

SMALL = {"evaluations": 1500, "islands": 2, "population": 15, "maxsize": 9}
# A weight is not a number of rows: the rows held out and the search's random numbers depend on
# how many rows there are.
EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": "a weight of 2 is not the same as two rows"
}


@parametrize_with_checks(
    [LawClassifier(**SMALL), LawRegressor(**SMALL)], expected_failed_checks=lambda _: EXPECTED
)
def test_the_estimators_pass_the_checks_of_scikit_learn(estimator, check):
    check(estimator)
