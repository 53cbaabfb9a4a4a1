"""What `LawClassifier` and `LawRegressor` have in common."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from occamscope.errors import InputError
from occamscope.laws.display import front_html, front_text
from occamscope.laws.estimators.data import check_matrix
from occamscope.laws.estimators.feature_names import FeatureNames
from occamscope.laws.estimators.laws import JointLaws, ShownFront, SingleLaws, faced
from occamscope.laws.estimators.search import Search, make_spec
from occamscope.laws.expressions.expression import Expression
from occamscope.laws.front import Front
from occamscope.laws.joint.front import JointFront
from occamscope.laws.spec import SearchSpec

if TYPE_CHECKING:
    import sympy
    import torch

Array = NDArray[np.float64]


class LawEstimator(BaseEstimator):
    """A search with scikit-learn's face: fit, then ask the front and the chosen law.

    Subclasses hold the parameters, prepare targets and say what a law predicts.
    """

    # What "default" means for the parameter `operators`.
    _default_operators: tuple[str, ...] = ()

    # Set by fit.
    laws_: Front | JointFront
    front_: pd.DataFrame
    names_: FeatureNames
    best_index_: int
    expression_: Expression | dict[Any, Expression]
    complexity_: int
    stopped_: str
    validation_rows_: NDArray[np.intp]
    n_features_in_: int

    def _spec(self, seed: int) -> SearchSpec:
        parameters = self.get_params(deep=False)
        if isinstance(parameters["operators"], str) and parameters["operators"] == "default":
            parameters["operators"] = self._default_operators
        return make_spec(parameters, self.names_, seed)

    def _seed(self) -> int:
        """Return the seed of everything random in a fit."""
        state = self.get_params(deep=False)["random_state"]
        if isinstance(state, int | np.integer) and 0 <= state < 2**31:
            return int(state)
        return int(check_random_state(state).randint(2**31 - 1))

    def _name_features(self) -> None:
        own = getattr(self, "feature_names_in_", None)
        count = self.n_features_in_
        self.names_ = FeatureNames.numbered(count) if own is None else FeatureNames.of(own)

    def _engines(self, spec: SearchSpec) -> Search:
        return Search(self.get_params(deep=False), spec, self.names_)

    def _check_found(self, front: Front | JointFront) -> None:
        """Refuse a front without laws, and say so if the search was cut short."""
        if not len(front):
            raise InputError(
                "laws: the search found no law that is defined on every row and keeps to the "
                "limits; loosen the constraints or raise evaluations"
            )
        if not front.complete:
            why = {"time": "the time limit", "interrupt": "the user"}[front.stopped]
            warnings.warn(
                f"laws: {why} ended the search; the front is what it had found so far, and "
                "another run may find another one",
                ConvergenceWarning,
                stacklevel=3,
            )

    def keep_front(self, front: Front | JointFront, columns: pd.DataFrame, chosen: int) -> None:
        """Take a front for one's own.

        Parameters
        ----------
        columns : how each law does on held-out rows; may have no column
        chosen : row of the law to use
        """
        self.laws_, self.stopped_, self.best_index_ = front, front.stopped, chosen
        self.expression_ = self._face.expression(chosen)
        self.complexity_ = int(front.table["complexity"].iloc[chosen])
        self.front_ = self._face.table(self.names_)
        for place, name in enumerate(columns, 2):
            self.front_.insert(place, name, columns[name])

    def facts(self) -> dict[str, Any]:
        """Return what else a subclass needs to predict, as JSON can hold it."""
        return {}

    def take_facts(self, document: dict[str, Any]) -> None:
        """Take up what `facts` wrote."""

    def _row(self, index: int | None) -> int:
        """Return a row of the front, the chosen one if none is named."""
        check_is_fitted(self)
        if index is None:
            return self.best_index_
        if isinstance(index, bool) or not isinstance(index, int | np.integer):
            raise InputError(f"index: {index!r} is no row of front_; give a whole number")
        if not 0 <= index < len(self.laws_):
            raise InputError(f"index: front_ has rows 0 to {len(self.laws_) - 1}, not {index}")
        return int(index)

    def _matrix(self, X: Any) -> Array:
        check_is_fitted(self)
        return check_matrix(self, X)

    @property
    def _face(self) -> SingleLaws | JointLaws:
        return faced(self.laws_)

    def _values(self, X: Array, index: int | None) -> Array:
        return self._face.values(self._row(index), X)

    def __str__(self) -> str:
        """Front with the chosen law marked, once there is one."""
        if not hasattr(self, "front_"):
            return repr(self)
        return front_text(ShownFront(self.front_, self.stopped_), self.best_index_)

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        """Return what a notebook shows: the front, with laws typeset, once there is one."""
        if not hasattr(self, "front_"):
            shown: dict[str, str] = super()._repr_mimebundle_(**kwargs)
            return shown
        front = ShownFront(self.front_, self.stopped_)
        return {"text/plain": str(self), "text/html": front_html(front, self.best_index_)}

    def text(self, index: int | None = None, digits: int | None = 4) -> str:
        """Print a law with the features' own names.

        Parameters
        ----------
        index : row of `front_`; None: the chosen law
        digits : significant digits of the constants; None writes them exactly
        """
        return self._face.text(self._row(index), self.names_, digits)

    def latex(self, index: int | None = None, digits: int = 3) -> str:
        """Print a law in LaTeX with the features' own names; parameters as `text`."""
        return self._face.latex(self._row(index), self.names_, digits)

    def sympy(self, index: int | None = None) -> sympy.Expr | dict[Any, sympy.Expr]:
        """Build a law's sympy expression; its symbols are real and have the features' own names.

        Parameters
        ----------
        index : row of `front_`; None: the chosen law
        """
        return self._face.sympy(self._row(index), self.names_)

    def torch(self, index: int | None = None) -> Callable[[torch.Tensor], torch.Tensor]:
        """Build a differentiable function (..., d) -> (...) with the values of the law.

        Parameters
        ----------
        index : row of `front_`; None: the chosen law
        """
        return self._face.torch(self._row(index))

    def python_source(self, index: int | None = None, function: str = "law") -> str:
        """Write a numpy function of X (n, d) with the values of the law, as text.

        Parameters
        ----------
        index : row of `front_`; None: the chosen law
        function : the function's name
        """
        return self._face.python_source(self._row(index), function)

    def to_json(self) -> str:
        """Write the fitted estimator as JSON text; `from_json` reads it back.

        Predictions of what is read back are equal to the last bit. Data are not kept.
        """
        from occamscope.laws.estimators.documents import write_estimator

        check_is_fitted(self)
        return write_estimator(self)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote.

        Raises
        ------
        InputError
            If the text is no such document, or of another class; nothing in it is evaluated.
        """
        from occamscope.laws.estimators.documents import read_estimator

        return read_estimator(cls, text)
