# Crops -> beta-TCVAE -> 32 latents and what they mean.


rule train_tcvae:
    input:
        crops=f"{RUN}/crops.h5",
        split=f"{RUN}/split/fold-{{fold}}.csv",
    output:
        multiext(
            f"{MODEL}/representation/tcvae",
            model=".safetensors",
            model_meta=".safetensors.meta.json",
            history="_history.csv",
            history_meta="_history.csv.meta.json",
        ),
    log:
        f"{MODEL}/logs/train_tcvae.log",
    cache: True
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=lambda wildcards, input, attempt: attempt
        * (3000 + 2 * int(input.size_mb)),
        runtime=240,
        gpu=GPUS,
    params:
        training={
            k: v
            for k, v in settings("representation").items()
            if k not in ("vae_seeds", "details")
        },
        device=CONFIG.device,
        seed=lambda wildcards: int(wildcards.vae),
        code=code("train_tcvae"),
        environment=ENVIRONMENT_DIGEST,
    message:
        "Training the beta-TCVAE, seed {wildcards.vae}, fold {wildcards.fold}"
    script:
        "../../scripts/train_tcvae.py"


rule encode:
    input:
        crops=f"{RUN}/crops.h5",
        split=f"{RUN}/split/fold-{{fold}}.csv",
        tcvae=f"{MODEL}/representation/tcvae.safetensors",
    output:
        latents=f"{MODEL}/representation/latents.h5",
    log:
        f"{MODEL}/logs/encode.log",
    benchmark:
        f"{MODEL}/benchmarks/encode.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=lambda wildcards, input, attempt: attempt * (2000 + int(input.size_mb)),
        runtime=30,
    params:
        details=CONFIG.representation.details,
        device=CONFIG.device,
        code=code("encode"),
        environment=ENVIRONMENT_DIGEST,
    message:
        "Encoding all crops"
    script:
        "../../scripts/encode.py"


rule describe_latents:
    input:
        crops=f"{RUN}/crops.h5",
        split=f"{RUN}/split/fold-{{fold}}.csv",
        tcvae=f"{MODEL}/representation/tcvae.safetensors",
        latents=f"{MODEL}/representation/latents.h5",
        factors=f"{RUN}/factors.csv",
    output:
        traversals=f"{MODEL}/representation/traversals.csv",
        sheets=f"{MODEL}/representation/traversals.safetensors",
        factors=report(
            f"{MODEL}/representation/factors.csv",
            caption="../report/factors.rst",
            category="2 Representation",
            labels={"table": "factors from latents"},
        ),
        names=report(
            f"{MODEL}/representation/names.csv",
            caption="../report/names.rst",
            category="2 Representation",
            labels={"table": "names of the latents"},
        ),
        shape_r2=f"{MODEL}/representation/shape_r2.csv",
        metrics=f"{MODEL}/representation/metrics.json",
    log:
        f"{MODEL}/logs/describe_latents.log",
    benchmark:
        f"{MODEL}/benchmarks/describe_latents.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        seed=CONFIG.seed,
        code=code("describe_latents"),
        environment=ENVIRONMENT_DIGEST,
    message:
        "Describing what each latent changes"
    script:
        "../../scripts/describe_latents.py"
