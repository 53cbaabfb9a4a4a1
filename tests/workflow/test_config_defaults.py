"""The config's defaults are those of the stages' own settings."""

import inspect

import pytest

from occamscope.classifiers.cnn import CNNSettings
from occamscope.classifiers.rigl import RigLSettings
from occamscope.config import Config
from occamscope.evaluation.confidence import confidence_thresholds
from occamscope.imaging.crop import CropSettings
from occamscope.imaging.simulate import SimulationSettings
from occamscope.imaging.split import SplitSettings
from occamscope.laws.spec import SearchSpec
from occamscope.representation.networks import Architecture
from occamscope.representation.objective import TrainingSettings

CONFIG = Config()
# The config gives the law search and the scale of crops defaults of its own; docs say so.
OWN = {"fields", "run_folds", "vae_seeds", "join_sisters", "um_per_px", "patience"}
# Of the architecture and of what is handed on, not of the training.
FRAME = {"frame", "details", "area_range", "axis_ratio"}


@pytest.mark.parametrize(
    ("section", "settings"),
    [
        (CONFIG.input.simulate, SimulationSettings()),
        (CONFIG.crops, CropSettings()),
        (CONFIG.split, SplitSettings()),
        (CONFIG.representation, TrainingSettings()),
        (CONFIG.black_box, CNNSettings()),
        (CONFIG.networks.rigl, RigLSettings()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_defaults_agree(section, settings):
    shared = set(type(section).model_fields) - OWN - FRAME
    assert shared
    different = {
        name: (getattr(section, name), getattr(settings, name))
        for name in shared
        if getattr(section, name) != getattr(settings, name)
    }
    assert different == {}


def test_the_frame_is_the_default_architecture():
    frame = Architecture().frame
    assert CONFIG.representation.frame is True and frame is not None
    assert CONFIG.representation.area_range == frame.area_range
    assert CONFIG.representation.axis_ratio == frame.axis_ratio


def test_law_settings_are_known_to_the_search():
    names = ("operators", "maxsize", "max_constant", "evaluations", "output_scale")
    SearchSpec(**{name: getattr(CONFIG.laws, name) for name in names})


def test_the_confidence_of_flips_is_that_of_the_thresholds():
    level = inspect.signature(confidence_thresholds).parameters["level"].default
    assert CONFIG.evaluation.attack_confidence == level
