# Accuracy, attacks, failure modes, image quality, claims.


rule measure_accuracy:
    input:
        crops=f"{RUN}/crops.h5",
        split=f"{RUN}/split/fold-{{fold}}.csv",
        latents=f"{MODEL}/representation/latents.h5",
        cnn=f"{FOLD}/black_box/cnn.safetensors",
        networks=network_files(density_names()),
        front=f"{MODEL}/laws/front.csv",
        law=f"{MODEL}/laws/law.json",
    output:
        accuracy=report(
            f"{MODEL}/evaluation/accuracy.csv",
            caption="../report/accuracy.rst",
            category="5 Evaluation",
            labels={"table": "accuracy of all models"},
        ),
        laws=f"{MODEL}/evaluation/laws.csv",
        predictions=f"{MODEL}/evaluation/predictions.csv",
    log:
        f"{MODEL}/logs/measure_accuracy.log",
    benchmark:
        f"{MODEL}/benchmarks/measure_accuracy.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        seed=CONFIG.seed,
        code=code("measure_accuracy"),
        environment=ENVIRONMENT_DIGEST,
    message:
        "Measuring the accuracy of all models"
    script:
        "../../scripts/measure_accuracy.py"


rule attack:
    input:
        crops=f"{RUN}/crops.h5",
        split=f"{RUN}/split/fold-{{fold}}.csv",
        latents=f"{MODEL}/representation/latents.h5",
        networks=network_files(density_names()),
        law=f"{MODEL}/laws/law.json",
    output:
        flips=f"{MODEL}/evaluation/flips.csv",
        codes=f"{MODEL}/evaluation/flips.safetensors",
        curves=f"{MODEL}/evaluation/attack_curves.csv",
        grid=f"{MODEL}/evaluation/flip_grid.csv",
    log:
        f"{MODEL}/logs/attack.log",
    benchmark:
        f"{MODEL}/benchmarks/attack.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        attack={
            k: v for k, v in settings("evaluation").items() if k.startswith("attack")
        },
        law_density=CONFIG.networks.law_density,
        seed=CONFIG.seed,
        code=code("attack"),
        environment=ENVIRONMENT_DIGEST,
    message:
        "Searching the smallest latent perturbations"
    script:
        "../../scripts/attack.py"


rule train_judge:
    input:
        crops=f"{RUN}/crops.h5",
        split=f"{RUN}/split/fold-{{fold}}.csv",
        tcvae=f"{MODEL}/representation/tcvae.safetensors",
        latents=f"{MODEL}/representation/latents.h5",
    output:
        multiext(
            f"{MODEL}/evaluation/judge",
            model=".safetensors",
            model_meta=".safetensors.meta.json",
            history="_history.csv",
            history_meta="_history.csv.meta.json",
        ),
    log:
        f"{MODEL}/logs/train_judge.log",
    cache: True
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=120,
        gpu=GPUS,
    params:
        training=settings("black_box"),
        device=CONFIG.device,
        seed=CONFIG.seed + 1000,
        code=code("train_judge"),
        environment=ENVIRONMENT_DIGEST,
    message:
        "Training the independent judge"
    script:
        "../../scripts/train_judge.py"


rule judge_flips:
    input:
        crops=f"{RUN}/crops.h5",
        split=f"{RUN}/split/fold-{{fold}}.csv",
        tcvae=f"{MODEL}/representation/tcvae.safetensors",
        latents=f"{MODEL}/representation/latents.h5",
        names=f"{MODEL}/representation/names.csv",
        judge=f"{MODEL}/evaluation/judge.safetensors",
        flips=f"{MODEL}/evaluation/flips.csv",
        codes=f"{MODEL}/evaluation/flips.safetensors",
    output:
        table=report(
            f"{MODEL}/evaluation/domain_appropriateness.csv",
            caption="../report/domain.rst",
            category="5 Evaluation",
            labels={"table": "domain-appropriateness"},
        ),
        flips=f"{MODEL}/evaluation/judged_flips.csv",
    log:
        f"{MODEL}/logs/judge_flips.log",
    benchmark:
        f"{MODEL}/benchmarks/judge_flips.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        seed=CONFIG.seed,
        code=code("judge_flips"),
        environment=ENVIRONMENT_DIGEST,
    message:
        "Judging decoded flips"
    script:
        "../../scripts/judge_flips.py"


rule fit_gate:
    input:
        crops=f"{RUN}/crops.h5",
        split=f"{RUN}/split/fold-{{fold}}.csv",
        tcvae=f"{MODEL}/representation/tcvae.safetensors",
    output:
        gate=f"{MODEL}/evaluation/gate.json",
        table=f"{MODEL}/evaluation/gate_real_crops.csv",
    log:
        f"{MODEL}/logs/fit_gate.log",
    benchmark:
        f"{MODEL}/benchmarks/fit_gate.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        false_alarms=CONFIG.evaluation.gate_false_alarms,
        segmentation=settings("segmentation"),
        code=code("fit_gate"),
        environment=ENVIRONMENT_DIGEST,
    message:
        "Fitting the gate: no nucleus here"
    script:
        "../../scripts/fit_gate.py"


rule failure_modes:
    input:
        crops=f"{RUN}/crops.h5",
        split=f"{RUN}/split/fold-{{fold}}.csv",
        tcvae=f"{MODEL}/representation/tcvae.safetensors",
        latents=f"{MODEL}/representation/latents.h5",
        networks=network_files(density_names()),
        cnn=f"{FOLD}/black_box/cnn.safetensors",
        law=f"{MODEL}/laws/law.json",
        gate=f"{MODEL}/evaluation/gate.json",
    output:
        summary=report(
            f"{MODEL}/evaluation/failure_modes.csv",
            caption="../report/failures.rst",
            category="5 Evaluation",
            labels={"table": "failure modes"},
        ),
        terms=f"{MODEL}/evaluation/failure_terms.csv",
        probes=f"{MODEL}/evaluation/failure_probes.safetensors",
    log:
        f"{MODEL}/logs/failure_modes.log",
    benchmark:
        f"{MODEL}/benchmarks/failure_modes.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        probes=CONFIG.evaluation.probes,
        law_density=CONFIG.networks.law_density,
        segmentation=settings("segmentation"),
        crops=settings("crops"),
        task=settings("task"),
        seed=CONFIG.seed,
        code=code("failure_modes"),
        environment=ENVIRONMENT_DIGEST,
    message:
        "Probing failure modes"
    script:
        "../../scripts/failure_modes.py"


rule image_quality:
    input:
        crops=f"{RUN}/crops.h5",
        split=f"{RUN}/split/fold-{{fold}}.csv",
        predictions=f"{MODEL}/evaluation/predictions.csv",
    output:
        table=f"{MODEL}/evaluation/image_quality.csv",
    log:
        f"{MODEL}/logs/image_quality.log",
    benchmark:
        f"{MODEL}/benchmarks/image_quality.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        code=code("image_quality"),
        environment=ENVIRONMENT_DIGEST,
    message:
        "Relating accuracy to image quality"
    script:
        "../../scripts/image_quality.py"


rule collect_claims:
    input:
        accuracy=models("evaluation/accuracy.csv"),
        laws=models("evaluation/laws.csv"),
        jaccard=models("networks/jaccard_pairs.csv"),
        shape_r2=models("representation/shape_r2.csv"),
        traversals=models("representation/traversals.csv"),
        front=models("laws/front.csv"),
        law=models("laws/law.json"),
        flips=models("evaluation/flips.csv"),
        grid=models("evaluation/flip_grid.csv"),
        domain=models("evaluation/domain_appropriateness.csv"),
        failures=models("evaluation/failure_modes.csv"),
        gate=models("evaluation/gate_real_crops.csv"),
        split=expand(f"{RUN}/split/fold-{{fold}}.json", fold=CONFIG.split.run_folds),
    output:
        table=report(
            f"{RUN}/claims.csv",
            caption="../report/claims.rst",
            category="0 Claims",
            labels={"table": "claims"},
        ),
        page=f"{RUN}/claims.md",
    log:
        f"{RUN}/logs/collect_claims.log",
    benchmark:
        f"{RUN}/benchmarks/collect_claims.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        law_density=CONFIG.networks.law_density,
        chosen_complexity=CONFIG.laws.chosen_complexity,
        task=settings("task"),
        seed=CONFIG.seed,
        code=code("collect_claims"),
        environment=ENVIRONMENT_DIGEST,
    message:
        "Collecting the claims"
    script:
        "../../scripts/collect_claims.py"


rule collect_provenance:
    input:
        claims=f"{RUN}/claims.csv",
        figures=models(FIGURES),
        models=[
            f"{RUN}/crops.h5",
            *models("representation/latents.h5"),
            *models("laws/law.json"),
        ],
    output:
        f"{RUN}/provenance.json",
    log:
        f"{RUN}/logs/collect_provenance.log",
    benchmark:
        f"{RUN}/benchmarks/collect_provenance.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        code=code("collect_provenance"),
        environment=ENVIRONMENT_DIGEST,
    message:
        "Collecting who made what from what"
    script:
        "../../scripts/collect_provenance.py"
