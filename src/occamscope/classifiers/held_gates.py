"""A ReLU network on given crops with its gates held: linear, hence taken apart exactly.

With every gate kept as a crop leaves it, the logit is a sum over first-layer units of

    (latent values x weights into the unit) x slope of the logit in the unit

plus what biases feed. One backward pass gives the slopes, whatever the number of paths.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from occamscope.classifiers.ensemble import TrainedEnsemble

Array = NDArray[np.float64]


@dataclass(frozen=True)
class HeldGates:
    """One member of an ensemble on n crops.

    Attributes
    ----------
    weights, biases : float64 [in, out] and [out] of each layer
    activations : inputs, hidden activations and logits (n, 1), in order
    gates : bool (n, units) of each hidden layer
    """

    weights: list[Array]
    biases: list[Array]
    activations: list[Array]
    gates: list[NDArray[np.bool_]]

    @property
    def logit(self) -> Array:
        """Logits (n,)."""
        return self.activations[-1][:, 0]

    def bias_part(self) -> Array:
        """What biases alone feed to the logit (n,)."""
        h = np.zeros((len(self.gates[0]), self.weights[0].shape[0]))
        for k, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            h = h @ weight + bias
            if k < len(self.gates):
                h = h * self.gates[k]
        return h[:, 0]

    def slopes(self) -> Array:
        """Slope (n, units) of the logit in the input of each first-layer unit; 0 if it is shut."""
        return _backwards(self.weights[1:], self.gates)

    def slope_sizes(self) -> Array:
        """The same with |weight|: the sum over all open paths onwards of |product of weights|."""
        return _backwards([np.abs(w) for w in self.weights[1:]], self.gates)

    def logit_without(self, units: NDArray[np.int64]) -> Array:
        """Logits (n,) with these first-layer units silenced and all gates free to follow."""
        silenced = self.weights[1].copy()
        silenced[units] = 0
        rest = [silenced, *self.weights[2:]]
        return forward(rest, self.biases[1:], self.activations[1])[-1][:, 0]


def hold_gates(net: TrainedEnsemble, member: int, x: ArrayLike) -> HeldGates:
    """Run one member on codes x (n, d) in float64 and keep its gates."""
    weights = [w[member].astype(float) for w in net.weights]
    biases = [b[member].astype(float) for b in net.biases]
    activations = forward(weights, biases, np.asarray(x, float))
    return HeldGates(weights, biases, activations, [a > 0 for a in activations[1:-1]])


def forward(weights: Sequence[Array], biases: Sequence[Array], x: Array) -> list[Array]:
    """Inputs, hidden activations and logits (n, 1), in order."""
    out = [x]
    for k, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        h = out[-1] @ weight + bias
        out.append(h if k == len(weights) - 1 else np.maximum(h, 0))
    return out


def ways_onward(weights: Sequence[Array]) -> list[Array]:
    """Number of paths to the output from each unit of each layer, inputs first, output last."""
    onward = [np.ones(1)]
    for w in reversed(weights):
        onward.insert(0, (w != 0) @ onward[0])
    return onward


def _backwards(weights: Sequence[Array], gates: Sequence[NDArray[np.bool_]]) -> Array:
    slope = np.ones((len(gates[0]), 1))
    for weight, gate in zip(reversed(weights), reversed(gates), strict=True):
        slope = slope @ weight.T * gate
    return slope
