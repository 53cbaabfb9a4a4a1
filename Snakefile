# Occamscope: raw microscopy images -> nucleus crops -> latents -> networks -> laws -> figures.
# The whole pipeline on one screen; every stage has its rules in workflow/rules/.

from snakemake.utils import min_version

min_version("9.20")


configfile: "config/config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/representation.smk"
include: "workflow/rules/classifiers.smk"
include: "workflow/rules/laws.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/figures.smk"


localrules:
    all,
    claims,
    figures,


rule all:
    input:
        f"{RUN}/crops.h5",  # raw images -> nuclei
        models("representation/latents.h5"),  # -> 32 disentangled latents
        folds("black_box/cnn.safetensors"),  # pixels -> black box
        models("networks/selected.json"),  # latents -> dense and sparse networks
        models("laws/law.json"),  # selected latents -> laws
        models("evaluation/image_quality.csv"),  # accuracy, attacks, failure modes
        f"{RUN}/claims.md",  # what holds and what does not
        models(FIGURES),  # the figure set
        f"{RUN}/provenance.json",  # who made what from what


rule claims:
    input:
        f"{RUN}/claims.md",


rule figures:
    input:
        models(FIGURES),
