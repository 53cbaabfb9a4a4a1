# Config, paths and digests: the only file of the workflow with functions.

import hashlib
import sys
from functools import cache
from pathlib import Path

ROOT = Path(str(workflow.current_basedir)).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from occamscope.config import load_config
from occamscope.digest import code_digest
from occamscope.errors import InputError
from occamscope.store.crop_files import crop_files
from occamscope.store.label_tables import check_label_table
from occamscope.store.sources import (
    group_of,
    input_root,
    list_fields,
    match_masks,
    refuse_braces,
    relative_name,
)


def checked(function, *arguments):
    """What a function returns; bad input ends the run here with one line.

    Not WorkflowError: Snakemake would print it with the places in these files.
    """
    try:
        return function(*arguments)
    except InputError as error:
        raise SystemExit(f"ERROR: {error}") from None


CONFIG = checked(load_config, config)
RUN = f"results/{CONFIG.run}"
FOLD = f"{RUN}/{{variant}}/fold-{{fold}}"
MODEL = f"{FOLD}/vae-{{vae}}"
ENVIRONMENT = "../../envs/occamscope.yaml"
ENVIRONMENT_DIGEST = hashlib.sha256(
    (ROOT / "envs/occamscope.yaml").read_bytes()
).hexdigest()[:16]
VARIANTS = ["base"]
DENSE = "1"


wildcard_constraints:
    variant="|".join(VARIANTS),
    fold=r"\d+",
    vae=r"\d+",
    bundle=r"\d{4}",
    density=r"[0-9.]+",
    first=r"\d{4}",
    last=r"\d{4}",
    seed=r"\d+",
    engine="evolution|pysr",
    loss="hinge|squared_hinge|logistic|ramp|mse|mae",
    target="labels|logits",


def code(script):
    """Digest of a script, of the modules that it reaches, and of the pinned environment."""
    return code_digest(ROOT / "scripts" / f"{script}.py")


def settings(*path):
    """Part of the validated config as plain values: what a rule depends on, and nothing else."""
    section = CONFIG
    for name in path:
        section = getattr(section, name)
    return section.model_dump(mode="json")


def folds(names):
    """Files of every fold that is run."""
    return expand(
        f"{FOLD}/{{name}}",
        variant=VARIANTS,
        fold=CONFIG.split.run_folds,
        name=names if isinstance(names, list) else [names],
    )


def models(names):
    """Files of every representation (fold and VAE seed) that is run."""
    return expand(
        f"{MODEL}/{{name}}",
        variant=VARIANTS,
        fold=CONFIG.split.run_folds,
        vae=CONFIG.representation.vae_seeds,
        name=names if isinstance(names, list) else [names],
    )


# ------------------------------------------------------------------ raw images


@cache
def field_files():
    """The fields, in a fixed order."""
    source = CONFIG.input
    if source.kind == "simulate":
        return [
            f"{RUN}/raw/plate_{index:03d}.tif"
            for index in range(source.simulate.fields)
        ]
    return [str(path) for path in checked(list_fields, source.fields.path)]


@cache
def field_masks():
    """The user's label mask of every field, where there are any."""
    masks = CONFIG.input.fields.masks
    if CONFIG.input.kind != "fields" or not masks:
        return {}
    matched = checked(match_masks, map(Path, field_files()), masks)
    return {str(field): str(mask) for field, mask in matched.items()}


def label_table():
    """The table that names classes, where there is one."""
    source = CONFIG.input
    if source.kind == "simulate":
        return [f"{RUN}/raw/truth.csv"]
    used = source.kind == "fields" and source.fields.labels
    return [source.fields.labels] if used else []


def check_input():
    """Whether files are there, and masks, groups and labels fit them: before any work is done."""
    paths = [*user_crop_files(), *field_masks().values()]
    if CONFIG.input.kind == "fields":
        paths += [*field_files(), *label_table()]
    checked(refuse_braces, paths)
    for name in field_names():
        checked(group_of, name, CONFIG.input.fields.group)
    if CONFIG.input.kind == "fields":
        for path in label_table():
            checked(check_label_table, Path(path), field_names())


def bundles():
    """Numbers of the bundles of fields."""
    count = -(-len(field_files()) // CONFIG.input.bundle)
    return [f"{index:04d}" for index in range(count)]


def bundle_fields(wildcards):
    """Fields of one bundle."""
    start = int(wildcards.bundle) * CONFIG.input.bundle
    return field_files()[start : start + CONFIG.input.bundle]


def bundle_masks(wildcards):
    """The user's label masks of one bundle, where there are any."""
    masks = field_masks()
    return [masks[field] for field in bundle_fields(wildcards)] if masks else []


@cache
def user_crop_files():
    """All files of crop inputs, so that a changed one is seen."""
    if CONFIG.input.kind != "crops":
        return []
    return [str(path) for path in checked(crop_files, CONFIG.input.crops.path)]


def field_bundles(suffix):
    """Segmentation files of all bundles of fields."""
    if CONFIG.input.kind == "crops":
        return []
    return expand(f"{RUN}/segmentation/bundle_{{bundle}}{suffix}", bundle=bundles())


def input_logs():
    """Logs of what every input file is."""
    if CONFIG.input.kind == "crops":
        return [f"{RUN}/segmentation/imported_inputs.csv"]
    return field_bundles("_inputs.csv")


def scale_file():
    """The scale of all crops."""
    imported = CONFIG.input.kind == "crops"
    return f"{RUN}/parts/imported_scale.json" if imported else f"{RUN}/scale.json"


def crop_parts(suffix):
    """Parts that make up `crops.h5`, by the kind of input."""
    if CONFIG.input.kind == "crops":
        return [f"{RUN}/parts/imported{suffix}"]
    return expand(f"{RUN}/parts/bundle_{{bundle}}{suffix}", bundle=bundles())


def field_root():
    """Folder that the names of fields are relative to."""
    simulated = CONFIG.input.kind == "simulate"
    return f"{RUN}/raw" if simulated else str(input_root(CONFIG.input.fields.path))


def field_names():
    """Names of all fields, as label tables may use them."""
    if CONFIG.input.kind == "crops":
        return []
    return [relative_name(Path(path), Path(field_root())) for path in field_files()]


def field_settings():
    """How to read the fields: nothing to say for simulated ones."""
    reading = settings("input", "fields")
    keys = ("axes", "channel", "um_per_px", "ignore_pixel_size_tags", "group")
    return {"root": field_root()} | {key: reading[key] for key in keys}


if workflow.is_main_process:  # not again in every job
    check_input()


# ------------------------------------------------------------------ networks and laws


def chunks():
    """(first, last) seed of every chunk of networks."""
    size, count = CONFIG.networks.chunk, CONFIG.networks.seeds
    return [(start, min(start + size, count) - 1) for start in range(0, count, size)]


def density_names():
    """Densities as they stand in file names, the dense network first."""
    return [
        DENSE,
        *(f"{density:g}" for density in CONFIG.networks.densities if density < 1),
    ]


def network_files(densities):
    """Chunks of the networks of the given densities."""
    return [
        f"{MODEL}/networks/density-{density}/seeds_{first:04d}-{last:04d}.safetensors"
        for density in densities
        for first, last in chunks()
    ]


def law_network_files(wildcards):
    """Networks whose latents the laws may use."""
    density = f"{CONFIG.networks.law_density:g}"
    return expand(network_files([density]), **wildcards)


def fronts():
    """Fronts of all searches."""
    return expand(
        f"{MODEL}/laws/fronts/{{engine}}_{{loss}}_{{target}}_seed-{{seed}}.csv",
        engine=CONFIG.laws.engines,
        loss=CONFIG.laws.losses,
        target=CONFIG.laws.targets,
        seed=range(CONFIG.laws.seeds),
        allow_missing=True,
    )


def search_settings():
    """What shapes one search (not how many there are, nor how the law is chosen)."""
    keys = (
        "operators",
        "maxsize",
        "max_constant",
        "evaluations",
        "output_scale",
    )
    return {key: settings("laws")[key] for key in keys}


def network_settings():
    """What shapes one network (not how many there are, nor which density the laws use)."""
    return {
        key: settings("networks")[key] for key in ("steps", "batch", "rigl", "prune")
    }


# ------------------------------------------------------------------ figures

GPUS = 1 if CONFIG.device == "cuda" else 0
FIGURE_NAMES = [
    "segmentation",
    "samples",
    "traversals",
    "factors",
    "accuracy_size",
    "selection",
    "streams",
    "fronts",
    "law",
    "flips",
    "attack_curves",
    "failures",
]
FIGURES = [f"figures/{name}.png" for name in FIGURE_NAMES]


def overlay_fields():
    """The first bundle of fields, where there are fields; its first good one is drawn."""
    return [] if CONFIG.input.kind == "crops" else field_files()[: CONFIG.input.bundle]


def overlay_labels():
    """Segmentation of the first bundle."""
    return (
        [] if CONFIG.input.kind == "crops" else [f"{RUN}/segmentation/bundle_0000.h5"]
    )
