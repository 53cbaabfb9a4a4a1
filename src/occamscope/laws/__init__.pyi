from occamscope.laws.choice.merging import merge_laws as merge_laws
from occamscope.laws.choice.rashomon import RashomonSet as RashomonSet
from occamscope.laws.choice.rashomon import RashomonSettings as RashomonSettings
from occamscope.laws.choice.rashomon import rashomon_set as rashomon_set
from occamscope.laws.choice.selection import select as select
from occamscope.laws.choice.selection import (
    select_by_cross_validation as select_by_cross_validation,
)
from occamscope.laws.choice.validation import add_validation as add_validation
from occamscope.laws.choice.why import Why as Why
from occamscope.laws.choice.why import explain as explain
from occamscope.laws.constraints import complexity_of as complexity_of
from occamscope.laws.constraints import violation as violation
from occamscope.laws.control import SearchControl as SearchControl
from occamscope.laws.control import SearchState as SearchState
from occamscope.laws.control import Snapshot as Snapshot
from occamscope.laws.engines import ENGINES as ENGINES
from occamscope.laws.engines import EngineError as EngineError
from occamscope.laws.engines import get_engine as get_engine
from occamscope.laws.estimators.classifier import LawClassifier as LawClassifier
from occamscope.laws.estimators.regressor import LawRegressor as LawRegressor
from occamscope.laws.evolution.engine import warm_up as warm_up
from occamscope.laws.expressions.decision import decision_core as decision_core
from occamscope.laws.expressions.equivalence import compare as compare
from occamscope.laws.expressions.equivalence import same_structure as same_structure
from occamscope.laws.expressions.equivalence import structure as structure
from occamscope.laws.expressions.expression import Expression as Expression
from occamscope.laws.expressions.expression import parse as parse
from occamscope.laws.front import Front as Front
from occamscope.laws.front import merge_fronts as merge_fronts
from occamscope.laws.joint.front import JointFront as JointFront
from occamscope.laws.joint.multiclass import fit_multiclass as fit_multiclass
from occamscope.laws.progress import SearchProgress as SearchProgress
from occamscope.laws.several import search_several as search_several
from occamscope.laws.spec import SearchSpec as SearchSpec
