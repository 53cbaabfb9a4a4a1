"""The config schema: defaults, refusals, the generated reference."""

from pathlib import Path

import pytest
import yaml

from occamscope.config import Config, load_config, reference_markdown
from occamscope.errors import InputError

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "config").glob("*.yaml")))
def test_shipped_configs_are_valid(name):
    base = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    assert load_config(base | yaml.safe_load((ROOT / "config" / name).read_text()))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"networks": {"sedes": 3}}, ["networks.sedes", "networks.seeds"]),
        ({"representaton": {}}, ["representaton", "representation"]),
        ({"networks": {"seeds": "many"}}, ["networks.seeds", "many"]),
        ({"networks": {"seeds": 0}}, ["networks.seeds", "0"]),
        ({"networks": {"law_density": 0.3}}, ["law_density", "0.3"]),
        ({"run": "../elsewhere"}, ["run", "../elsewhere"]),
        ({"input": {"kind": "fields"}}, ["input.fields.path"]),
        ({"input": {"kind": "crops"}}, ["input.crops.path"]),
        ({"task": {"negative": "a", "positive": "a"}}, ["task", "same"]),
        ({"evaluation": {"attack_confidence": 0.5}}, ["evaluation.attack_confidence", "0.5"]),
        ({"split": {"run_folds": [7]}}, ["run_folds", "7"]),
        ({"split": {"train": 0.9}}, ["split", "1.4"]),
    ],
)
def test_a_wrong_key_or_value_is_named(values, words):
    with pytest.raises(InputError) as caught:
        load_config(values)
    assert all(word in str(caught.value) for word in words)


def test_every_problem_is_reported_at_once():
    with pytest.raises(InputError) as caught:
        load_config({"sed": 1, "networks": {"seeds": "x"}})
    assert "seed" in str(caught.value) and "networks.seeds" in str(caught.value)


def test_the_reference_names_every_key_and_is_up_to_date():
    text = reference_markdown()
    for section, field in Config.model_fields.items():
        keys = getattr(field.annotation, "model_fields", {})
        assert all(f"`{section}.{key}" in text for key in keys)
    assert (ROOT / "config/README.md").read_text() == text
