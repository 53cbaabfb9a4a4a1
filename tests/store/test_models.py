"""Trained models come back from their files and decide as before."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from occamscope.classifiers.cnn import cnn_logits
from occamscope.classifiers.cnn_model import CNN, CNNSettings
from occamscope.classifiers.ensemble import TrainedEnsemble, logits
from occamscope.errors import InputError
from occamscope.laws.expressions.expression import parse
from occamscope.representation.codes import decode_codes, encode_images
from occamscope.representation.tcvae import TCVAE, NetworkSettings
from occamscope.store.cnns import read_cnn, write_cnn
from occamscope.store.ensembles import read_ensemble, read_ensembles, write_ensemble
from occamscope.store.laws import law_document, read_law
from occamscope.store.provenance import DamagedFileError
from occamscope.store.representations import read_tcvae, write_tcvae
from occamscope.store.tables import write_json
from occamscope.store.tensors import read_tensors

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 64, 64), dtype=np.uint8)


def make_net(seeds, density, widths=(4, 3, 1)) -> TrainedEnsemble:
    rng = np.random.default_rng(seeds[0])
    shapes = [(len(seeds), a, b) for a, b in zip(widths[:-1], widths[1:], strict=True)]
    masks = tuple(rng.random(shape) < 0.7 for shape in shapes)
    weights = tuple((rng.normal(size=mask.shape) * mask).astype(np.float32) for mask in masks)
    biases = tuple(rng.normal(size=(n, b)).astype(np.float32) for n, _, b in shapes)
    history = pd.DataFrame({"step": [1], "seed": [seeds[0]], "loss": [0.5]})
    return TrainedEnsemble(weights, biases, masks, tuple(seeds), density, history)


def test_networks_come_back_with_masks_seeds_and_density(tmp_path):
    net = make_net((3, 4), 0.05)
    write_ensemble(tmp_path / "a.safetensors", net, {"latents": 4})
    back = read_ensemble(tmp_path / "a.safetensors")
    for mine, read in zip(net.masks + net.weights, back.masks + back.weights, strict=True):
        assert np.array_equal(mine, read) and mine.dtype == read.dtype
    assert (back.seeds, back.density, back.widths) == ((3, 4), 0.05, (4, 3, 1))
    x = np.random.default_rng(1).normal(size=(6, 4)).astype(np.float32)
    assert np.array_equal(logits(back, x), logits(net, x))
    assert read_tensors(tmp_path / "a.safetensors")[1]["facts"] == {"latents": 4}


def test_chunks_are_joined_by_density_with_seeds_in_order(tmp_path):
    chunks = [((8, 9), 0.02), ((0, 1), 1.0), ((0, 1), 0.02)]
    paths = [tmp_path / f"{k}.safetensors" for k in range(len(chunks))]
    for path, (seeds, density) in zip(paths, chunks, strict=True):
        write_ensemble(path, make_net(seeds, density), {})
    nets = read_ensembles(paths)
    assert list(nets) == [1.0, 0.02]
    assert nets[0.02].seeds == (0, 1, 8, 9) and nets[1.0].seeds == (0, 1)
    assert np.array_equal(nets[0.02].weights[0][2:], make_net((8, 9), 0.02).weights[0])


def test_a_vae_encodes_and_decodes_as_before(tmp_path):
    settings = NetworkSettings(latents=6, channels=(4, 8), hidden=16)
    model = TCVAE(settings, torch.Generator().manual_seed(3)).eval()
    write_tcvae(tmp_path / "vae.safetensors", model, {"steps": 2})
    back = read_tcvae(tmp_path / "vae.safetensors")
    assert back.settings == settings and not back.training
    codes = encode_images(model, IMAGES)
    assert np.array_equal(encode_images(back, IMAGES).mean, codes.mean)
    assert np.array_equal(decode_codes(back, codes.mean), decode_codes(model, codes.mean))


def test_a_cnn_decides_as_before(tmp_path):
    model = CNN(CNNSettings(channels=(4, 8), epochs=2), torch.Generator().manual_seed(5))
    model.train()(torch.rand(4, 1, 64, 64))  # moves the running means of the normalisation
    model.eval()
    write_cnn(tmp_path / "cnn.safetensors", model, {})
    back = read_cnn(tmp_path / "cnn.safetensors")
    assert back.settings == model.settings and not back.training
    assert np.array_equal(cnn_logits(back, IMAGES), cnn_logits(model, IMAGES))


@pytest.mark.parametrize("read", [read_ensemble, read_tcvae, read_cnn])
def test_a_damaged_model_is_refused_by_name(tmp_path, read):
    (tmp_path / "m.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{}")
    with pytest.raises(DamagedFileError, match=r"m\.safetensors"):
        read(tmp_path / "m.safetensors")


@pytest.fixture
def law_file(tmp_path):
    row = pd.Series(
        {"engine": "evolution", "loss_name": "hinge", "target": "labels", "seed": np.int64(1),
         "validation_accuracy": np.float64(0.9), "validation_balanced_accuracy": 0.91}
    )  # fmt: skip
    law = parse("1.25 * z3 - square(z0) + 0.5", ["z0", "z1", "z2", "z3"])
    platt = SimpleNamespace(a=2.0, b=-0.5)
    write_json(tmp_path / "law.json", law_document(law, row, platt, {"z3": "size"}))
    return tmp_path / "law.json", law


def test_a_law_comes_back_and_decides_as_before(law_file):
    path, law = law_file
    back = read_law(path)
    z = np.random.default_rng(0).normal(size=(50, 4))
    assert np.array_equal(back.expression.evaluate(z), law.evaluate(z))
    assert back.expression.complexity() == back.facts["complexity"] == law.complexity()


def test_a_law_says_who_found_it_and_what_its_latents_mean(law_file):
    facts = read_law(law_file[0]).facts
    assert facts["found_by"]["seed"] == 1 and facts["found_by"]["engine"] == "evolution"
    assert facts["latent_names"] == {"z0": "other", "z3": "size"}
    assert facts["probability"] == {"a": 2.0, "b": -0.5}
    assert facts["validation"]["balanced_accuracy"] == 0.91 and len(facts["terms"]) == 3


def test_a_law_file_with_foreign_code_is_refused(tmp_path, law_file):
    facts = json.loads(law_file[0].read_text())
    facts["expression"] = "__import__('os').system('true')"
    (tmp_path / "evil.json").write_text(json.dumps(facts))
    with pytest.raises(InputError):
        read_law(tmp_path / "evil.json")
