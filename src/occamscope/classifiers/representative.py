"""The one network that stands for many."""

import numpy as np
from numpy.typing import ArrayLike

from occamscope.classifiers.ensemble import TrainedEnsemble, logits
from occamscope.classifiers.pruning import count_parameters


def representative_member(net: TrainedEnsemble, x_val: ArrayLike, y_val: ArrayLike) -> int:
    """The member whose accuracy and size are nearest to the medians over members.

    Neither the best nor the smallest is taken, because a figure of it would flatter the rest.

    Parameters
    ----------
    x_val : (n, d) codes of the validation part
    y_val : (n,) 0 or 1

    Returns
    -------
    int
        Position of the member: nearest to the median balanced validation accuracy, then to the
        median number of parameters, then the first.
    """
    positive = np.asarray(y_val) == 1
    called = logits(net, x_val) > 0
    accuracy = (called[:, positive].mean(axis=1) + (~called[:, ~positive]).mean(axis=1)) / 2
    # 4 digits: differences below a crop are no reason to prefer a member.
    off_accuracy = np.round(np.abs(accuracy - np.median(accuracy)), 4)
    size = count_parameters(net)
    off_size = np.abs(size - np.median(size))
    return int(np.lexsort((np.arange(net.members), off_size, off_accuracy))[0])
