"""The typed schema of the config: defaults, validation, and the text of `config/README.md`.

Only pydantic (which comes with Snakemake) is imported: the Snakefile validates where no numerical
library exists. The settings of a stage mirror the dataclass of that stage and expose what a user may
want to change; a test compares the defaults.
"""

from __future__ import annotations

import difflib
import json
import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from occamscope.errors import InputError

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """A part of the config: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class Simulate(Section):
    """Simulated fields with known factors, written as multi-page 16-bit TIFFs."""

    fields: Count = Field(40, description="number of TIFF files; each is a group of the split")
    frames: Count = Field(4, description="pages of a file, independent frames of one plate")
    height: Count = Field(512, description="height of a page, px")
    width: Count = Field(512, description="width of a page, px")
    nuclei_per_frame: Count = Field(36, description="nuclei of a page")
    um_per_px: Positive = Field(0.65, description="pixel size, um")
    interphase: Fraction = Field(0.5, description="share of interphase nuclei")
    prometaphase: Fraction = Field(0.0, description="share of prometaphase nuclei")
    metaphase: Fraction = Field(0.5, description="share of metaphase nuclei")
    anaphase: Fraction = Field(0.0, description="share of anaphase nuclei")
    apoptosis: Fraction = Field(0.0, description="share of apoptotic nuclei")


class Fields(Section):
    """Your microscopy fields."""

    path: str = Field("", description="folder or glob of TIFFs")
    masks: str | None = Field(
        None, description="folder of label images (Cellpose, StarDist, ...); else segmented here"
    )
    labels: str | None = Field(None, description="label table: CSV with file, frame, y, x, class")
    axes: str | None = Field(None, description="axes of the files, as TYX, where the file has none")
    channel: Annotated[int, Field(ge=0)] = Field(0, description="channel with the chromatin")
    um_per_px: Positive | None = Field(None, description="pixel size, um, where the file has none")
    ignore_pixel_size_tags: bool = Field(
        False, description="trust um_per_px where the files' own metadata are wrong"
    )
    group: str | None = Field(
        None, description="regular expression with one group that finds the plate in a file name"
    )


class CropInput(Section):
    """Your crops: class folders, zips of them, or a manifest."""

    path: str = Field("", description="folder, zip, glob of zips, or manifest CSV")
    columns: dict[str, str] = Field(
        {}, description="manifest columns under other names, as {group: plate}"
    )
    group: str | None = Field(
        None, description="regular expression with one group that finds the plate in a crop's name"
    )
    um_per_px: Positive | None = Field(None, description="pixel size, um, where unknown otherwise")
    ignore_pixel_size_tags: bool = Field(
        False, description="trust um_per_px where the files' own metadata are wrong"
    )


class Input(Section):
    """Where images come from."""

    kind: Literal["simulate", "fields", "crops"] = Field(
        "simulate", description="simulated fields, your fields, or your crops"
    )
    simulate: Simulate = Simulate()
    fields: Fields = Fields()
    crops: CropInput = CropInput()
    bundle: Count = Field(8, description="files that one segmentation job takes")


class Task(Section):
    """The two kinds of cell that the law must separate."""

    negative: str = Field("interphase", description="class with negative decision")
    positive: str = Field("metaphase", description="class with positive decision")


class Segmentation(Section):
    """Finding nuclei in fields, and the nucleus in a crop."""

    join_sisters: bool = Field(True, description="join the two plates of an anaphase in a crop")


class Crops(Section):
    """How a nucleus becomes a crop."""

    nucleus_diameter_px: Positive = Field(
        27.0, description="diameter of the median nucleus in a 64 px crop, where sizes are unknown"
    )
    um_per_px: Positive = Field(
        0.65, description="scale of the crops, um per px, where pixel sizes are known"
    )
    mask: bool = Field(True, description="set neighbours and background to 0")
    centre: bool = Field(True, description="shift the nucleus to the centre")
    normalise: bool = Field(
        True, description="divide by the robust maximum; false keeps brightness (a shortcut)"
    )


class SplitParts(Section):
    """Parts of the data, by whole groups."""

    train: Fraction = Field(0.5, description="share that trains")
    validation: Fraction = Field(0.12, description="share for early stop, pruning, choice of law")
    calibration: Fraction = Field(0.08, description="share that calibrates probabilities and gate")
    judge: Fraction = Field(0.1, description="share that trains the independent judge")
    test: Fraction = Field(0.2, description="share that is read once, at the end")
    folds: Count = Field(5, description="disjoint test parts that the groups are divided into")
    run_folds: list[Annotated[int, Field(ge=0)]] = Field([0], description="folds to run")


class Representation(Section):
    """beta-TCVAE with 32 latents."""

    vae_seeds: list[int] = Field([0], description="seeds of the VAE; one representation each")
    frame: bool = Field(
        True,
        description="paint in the nucleus' own frame, so that size and ellipticity stay pure beside "
        "further latents; false: the plain network, which finds these three alone with steps: 1400, "
        "shape_steps: 0, sigma: 0.4, anneal: 0.25, blank_fraction: 0.03",
    )
    details: bool = Field(
        True,
        description="let networks and laws use latents beyond size and ellipticity; false keeps them "
        "for reconstructions, so that laws are of size and shape alone",
    )
    area_range: Annotated[float, Field(ge=0)] = Field(
        0.0, description="area at size +3 over that at -3, if fixed (the paper: 6); 0: learnt"
    )
    axis_ratio: Annotated[float, Field(ge=0)] = Field(
        0.0, description="axis ratio at an ellipticity of 3, if fixed (the paper: 2.3); 0: learnt"
    )
    steps: Count = Field(800, description="optimiser steps")
    shape_steps: Annotated[int, Field(ge=0)] = Field(
        500, description="of these, steps before the latents beyond size and ellipticity open"
    )
    batch: Count = Field(256, description="crops of a step")
    sigma: Positive = Field(
        0.33,
        description="standard deviation of the pixel likelihood; smaller: more latents, finer "
        "detail",
    )
    sigma_start: Positive = Field(
        1.0, description="standard deviation at the first step; falls to sigma"
    )
    anneal: Fraction = Field(0.3, description="share of the steps over which it falls")
    beta: Positive = Field(8.0, description="weight of the total correlation")
    estimator: Literal["mws", "mss"] = Field("mws", description="minibatch sampling estimator")
    learning_rate: Positive = Field(1e-3, description="peak learning rate of Adam")
    blank_fraction: Fraction = Field(
        0.0, description="share of blank crops in a batch; the plain network needs 0.03"
    )
    patience: Annotated[int, Field(ge=0)] = Field(
        0, description="validation checks without progress before an early stop; 0: never"
    )
    checkpoint_every: Count = Field(100, description="steps between checkpoints")


class BlackBox(Section):
    """CNN on pixels: the accuracy to compare with."""

    epochs: Count = Field(12, description="passes over the training crops")
    batch: Count = Field(64, description="crops of a step")


class RigL(Section):
    """Modified RigL: warm-up, topology updates, pruning."""

    warmup: Literal["dense", "sparse", "none"] = Field(
        "dense", description="training before the first topology update"
    )
    warmup_steps: Annotated[int, Field(ge=0)] = Field(500, description="steps of the warm-up")
    update_every: Count = Field(100, description="steps between topology updates")
    alpha: Fraction = Field(0.3, description="initial share of weights that move at an update")


class Networks(Section):
    """Dense and sparse networks on the latents, over many seeds."""

    seeds: Count = Field(16, description="networks of each density, seeds 0, 1, ...")
    chunk: Count = Field(16, description="networks that one job trains at once; fixes file names")
    densities: list[Fraction] = Field(
        [0.01, 0.02, 0.05, 0.1], description="densities of sparse networks (1 is always trained)"
    )
    law_density: Fraction = Field(0.02, description="density that selects latents for the laws")
    selection_frequency: Fraction = Field(
        0.5, description="share of seeds that must use a latent for it to be selected"
    )
    steps: Count = Field(3000, description="optimiser steps")
    batch: Count = Field(128, description="crops of a step")
    rigl: RigL = RigL()
    prune: bool = Field(True, description="prune after training while validation accuracy holds")


class Laws(Section):
    """Symbolic regression on the selected latents."""

    engines: list[Literal["evolution", "pysr"]] = Field(
        ["evolution"], description="search engines; their fronts are merged"
    )
    losses: list[Literal["hinge", "squared_hinge", "logistic", "ramp", "mse", "mae"]] = Field(
        ["hinge", "mse"], description="losses, one search each"
    )
    targets: list[Literal["labels", "logits"]] = Field(
        ["labels", "logits"], description="class labels, or the logits of a sparse network"
    )
    seeds: Count = Field(2, description="searches of each kind, seeds 0, 1, ...")
    operators: Literal["default", "paper"] | list[str] = Field(
        "default", description="default: + - * square; paper: with exp; or a list"
    )
    maxsize: Count = Field(20, description="most nodes of an expression")
    max_constant: Positive = Field(50.0, description="largest absolute constant")
    evaluations: Count = Field(1_000_000, description="candidate expressions that a search scores")
    output_scale: bool = Field(True, description="margin losses fit a scale that costs no node")
    chosen_complexity: Count = Field(13, description="most nodes of the chosen law")
    tolerance: Fraction | None = Field(
        None, description="loss of validation accuracy that simplicity may cost; default 1 s.e."
    )


class Evaluation(Section):
    """Attacks, failure modes, the gate."""

    attack_cells: Count = Field(200, description="test crops that are attacked")
    attack_members: Count = Field(16, description="networks of each density that are attacked")
    attack_confidence: Annotated[float, Field(gt=0.5, lt=1)] = Field(
        0.95, description="probability of the new class that a confident flip must reach, above 0.5"
    )
    probes: Count = Field(200, description="failure probes of each kind")
    gate_false_alarms: Fraction = Field(
        0.005, description="share of real calibration crops that the gate may catch"
    )


class Config(Section):
    """The whole config."""

    run: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")] = Field(
        "demo", description="name of the results folder, results/<run>/"
    )
    seed: int = Field(0, description="seed of everything that is not seeded on its own")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where networks train")
    input: Input = Input()
    task: Task = Task()
    segmentation: Segmentation = Segmentation()
    crops: Crops = Crops()
    split: SplitParts = SplitParts()
    representation: Representation = Representation()
    black_box: BlackBox = BlackBox()
    networks: Networks = Networks()
    laws: Laws = Laws()
    evaluation: Evaluation = Evaluation()

    @model_validator(mode="after")
    def _check(self) -> Config:
        _check_input(self.input)
        _check_networks(self.networks)
        if self.task.negative == self.task.positive:
            raise ValueError("task.negative and task.positive are the same class")
        bad = [fold for fold in self.split.run_folds if fold >= self.split.folds]
        if bad:
            raise ValueError(
                f"split.run_folds names fold {bad[0]}, split.folds is {self.split.folds}"
            )
        parts = self.split
        total = parts.train + parts.validation + parts.calibration + parts.judge + parts.test
        if abs(total - 1) > 1e-6:
            raise ValueError(f"the parts of split add up to {total:g}, not to 1")
        return self


def _check_input(section: Input) -> None:
    if section.kind == "fields" and not section.fields.path:
        raise ValueError("input.fields.path is empty: name the folder with your TIFFs")
    if section.kind == "crops" and not section.crops.path:
        raise ValueError(
            "input.crops.path is empty: name the folder, zip or manifest of your crops"
        )
    simulated = section.simulate
    shares = (simulated.interphase, simulated.prometaphase, simulated.metaphase,
              simulated.anaphase, simulated.apoptosis)  # fmt: skip
    if section.kind == "simulate" and abs(sum(shares) - 1) > 1e-6:
        raise ValueError(f"the class shares of input.simulate add up to {sum(shares):g}, not to 1")


def _check_networks(section: Networks) -> None:
    if section.law_density not in section.densities:
        raise ValueError(
            f"networks.law_density {section.law_density:g} is not one of networks.densities "
            f"{section.densities}"
        )


def load_config(values: dict[str, Any]) -> Config:
    """Validate a config as read from YAML.

    Raises
    ------
    InputError
        Naming every wrong key, with the nearest known one where it is unknown.
    """
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        lines = [_explain(problem) for problem in error.errors()]
        raise InputError("config: " + "; ".join(lines)) from None


def _explain(problem: Any) -> str:
    where = [str(part) for part in problem["loc"]]
    key = ".".join(where)
    if problem["type"] == "extra_forbidden":
        known = _keys_of(where[:-1])
        near = difflib.get_close_matches(where[-1], known, n=1, cutoff=0.4)
        hint = f"did you mean {'.'.join([*where[:-1], near[0]])}?" if near else f"known: {known}"
        return f"unknown key {key}; {hint}"
    message = problem["msg"].removeprefix("Value error, ")
    if not key:
        return message
    return f"{key} is {problem['input']!r}: {message}"


def _keys_of(where: list[str]) -> list[str]:
    section: type[BaseModel] = Config
    for part in where:
        section = section.model_fields[part].annotation  # type: ignore[assignment]
    return sorted(section.model_fields)


def reference_markdown() -> str:
    """Text of `config/README.md`: every key with type, default and meaning."""
    lines = [
        "# Config reference",
        "",
        "Generated from `src/occamscope/config.py` by `make config`; do not edit.",
        "`snakemake --configfile X` merges the keys of X over `config/config.yaml`.",
        "",
    ]
    _describe(Config, "", lines)
    return "\n".join(lines) + "\n"


def _describe(section: type[BaseModel], prefix: str, lines: list[str]) -> None:
    scalars: list[tuple[str, Any]] = []
    sections: list[tuple[str, Any]] = []
    for name, field in section.model_fields.items():
        is_section = isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        (sections if is_section else scalars).append((name, field))
    if prefix:
        lines += [f"## `{prefix}`", "", (section.__doc__ or "").strip(), ""]
    if scalars:
        lines += ["| key | type | default | meaning |", "| --- | --- | --- | --- |"]
        for name, field in scalars:
            row = (f"`{_join(prefix, name)}`", _type_name(field.annotation),
                   f"`{json.dumps(field.default)}`", field.description or "")  # fmt: skip
            lines.append("| " + " | ".join(row) + " |")
        lines.append("")
    for name, field in sections:
        _describe(field.annotation, _join(prefix, name), lines)


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _type_name(kind: Any) -> str:
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _type_name(args[0])
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in args)
    if origin in (Union, types.UnionType):
        return " or ".join(_type_name(item) for item in args)
    if origin in (list, dict):
        return f"{origin.__name__} of {', '.join(_type_name(item) for item in args)}"
    return "null" if kind is type(None) else getattr(kind, "__name__", str(kind))
