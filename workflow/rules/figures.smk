# The figure set: one rule, one script, one claim each.


rule figure_segmentation:
    input:
        fields=overlay_fields(),
        labels=overlay_labels(),
        crops=f"{RUN}/crops.h5",
    output:
        png=report(
            f"{MODEL}/figures/segmentation.png",
            caption="../report/segmentation.rst",
            category="1 Data",
            labels={"figure": "segmentation"},
        ),
        svg=f"{MODEL}/figures/segmentation.svg",
        data=f"{MODEL}/figures/segmentation.csv",
    log:
        f"{MODEL}/logs/figure_segmentation.log",
    benchmark:
        f"{MODEL}/benchmarks/figure_segmentation.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        reading=field_settings(),
        kind=CONFIG.input.kind,
        code=code("figure_segmentation"),
        environment=ENVIRONMENT_DIGEST,
    message:
        "Drawing the segmentation"
    script:
        "../../scripts/figure_segmentation.py"


rule figure_samples:
    input:
        crops=f"{RUN}/crops.h5",
        split=f"{RUN}/split/fold-{{fold}}.csv",
        tcvae=f"{MODEL}/representation/tcvae.safetensors",
    output:
        png=report(
            f"{MODEL}/figures/samples.png",
            caption="../report/samples.rst",
            category="2 Representation",
            labels={"figure": "samples and reconstructions"},
        ),
        svg=f"{MODEL}/figures/samples.svg",
        data=f"{MODEL}/figures/samples.csv",
    log:
        f"{MODEL}/logs/figure_samples.log",
    benchmark:
        f"{MODEL}/benchmarks/figure_samples.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        task=settings("task"),
        seed=CONFIG.seed,
        code=code("figure_samples"),
        environment=ENVIRONMENT_DIGEST,
    message:
        "Drawing samples and reconstructions"
    script:
        "../../scripts/figure_samples.py"


rule figure_traversals:
    input:
        sheets=f"{MODEL}/representation/traversals.safetensors",
        traversals=f"{MODEL}/representation/traversals.csv",
        names=f"{MODEL}/representation/names.csv",
    output:
        png=report(
            f"{MODEL}/figures/traversals.png",
            caption="../report/traversals.rst",
            category="2 Representation",
            labels={"figure": "traversals of active latents"},
        ),
        svg=f"{MODEL}/figures/traversals.svg",
        data=f"{MODEL}/figures/traversals.csv",
    log:
        f"{MODEL}/logs/figure_traversals.log",
    benchmark:
        f"{MODEL}/benchmarks/figure_traversals.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        code=code("figure_traversals"),
        environment=ENVIRONMENT_DIGEST,
    message:
        "Drawing the traversals"
    script:
        "../../scripts/figure_traversals.py"


rule figure_factors:
    input:
        factors=f"{MODEL}/representation/factors.csv",
        names=f"{MODEL}/representation/names.csv",
    output:
        png=report(
            f"{MODEL}/figures/factors.png",
            caption="../report/factors.rst",
            category="2 Representation",
            labels={"figure": "factors against latents"},
        ),
        svg=f"{MODEL}/figures/factors.svg",
        data=f"{MODEL}/figures/factors.csv",
    log:
        f"{MODEL}/logs/figure_factors.log",
    benchmark:
        f"{MODEL}/benchmarks/figure_factors.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        code=code("figure_factors"),
        environment=ENVIRONMENT_DIGEST,
    message:
        "Drawing factors against latents"
    script:
        "../../scripts/figure_factors.py"


rule figure_accuracy_size:
    input:
        accuracy=f"{MODEL}/evaluation/accuracy.csv",
    output:
        png=report(
            f"{MODEL}/figures/accuracy_size.png",
            caption="../report/accuracy_size.rst",
            category="5 Evaluation",
            labels={"figure": "accuracy against size"},
        ),
        svg=f"{MODEL}/figures/accuracy_size.svg",
        data=f"{MODEL}/figures/accuracy_size.csv",
    log:
        f"{MODEL}/logs/figure_accuracy_size.log",
    benchmark:
        f"{MODEL}/benchmarks/figure_accuracy_size.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        code=code("figure_accuracy_size"),
        environment=ENVIRONMENT_DIGEST,
    message:
        "Drawing accuracy against size"
    script:
        "../../scripts/figure_accuracy_size.py"


rule figure_selection:
    input:
        selection=f"{MODEL}/networks/selection.csv",
        jaccard=f"{MODEL}/networks/jaccard.csv",
        names=f"{MODEL}/representation/names.csv",
    output:
        png=report(
            f"{MODEL}/figures/selection.png",
            caption="../report/selection.rst",
            category="3 Networks",
            labels={"figure": "latent selection over seeds"},
        ),
        svg=f"{MODEL}/figures/selection.svg",
        data=f"{MODEL}/figures/selection.csv",
    log:
        f"{MODEL}/logs/figure_selection.log",
    benchmark:
        f"{MODEL}/benchmarks/figure_selection.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        code=code("figure_selection"),
        environment=ENVIRONMENT_DIGEST,
    message:
        "Drawing latent selection"
    script:
        "../../scripts/figure_selection.py"


rule figure_streams:
    input:
        nodes=f"{MODEL}/networks/streams_nodes.csv",
        edges=f"{MODEL}/networks/streams_edges.csv",
        paths=f"{MODEL}/networks/streams_paths.csv",
        responses=f"{MODEL}/networks/stream_responses.csv",
        names=f"{MODEL}/representation/names.csv",
    output:
        png=report(
            f"{MODEL}/figures/streams.png",
            caption="../report/streams.rst",
            category="3 Networks",
            labels={"figure": "logic streams"},
        ),
        svg=f"{MODEL}/figures/streams.svg",
        data=f"{MODEL}/figures/streams.csv",
    log:
        f"{MODEL}/logs/figure_streams.log",
    benchmark:
        f"{MODEL}/benchmarks/figure_streams.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        task=settings("task"),
        code=code("figure_streams"),
        environment=ENVIRONMENT_DIGEST,
    message:
        "Drawing the logic streams"
    script:
        "../../scripts/figure_streams.py"


rule figure_fronts:
    input:
        front=f"{MODEL}/laws/front.csv",
        law=f"{MODEL}/laws/law.json",
        accuracy=f"{MODEL}/evaluation/accuracy.csv",
    output:
        png=report(
            f"{MODEL}/figures/fronts.png",
            caption="../report/fronts.rst",
            category="4 Laws",
            labels={"figure": "Pareto fronts"},
        ),
        svg=f"{MODEL}/figures/fronts.svg",
        data=f"{MODEL}/figures/fronts.csv",
    log:
        f"{MODEL}/logs/figure_fronts.log",
    benchmark:
        f"{MODEL}/benchmarks/figure_fronts.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        code=code("figure_fronts"),
        environment=ENVIRONMENT_DIGEST,
    message:
        "Drawing the Pareto fronts"
    script:
        "../../scripts/figure_fronts.py"


rule figure_law:
    input:
        law=f"{MODEL}/laws/law.json",
        tcvae=f"{MODEL}/representation/tcvae.safetensors",
        latents=f"{MODEL}/representation/latents.h5",
        crops=f"{RUN}/crops.h5",
        split=f"{RUN}/split/fold-{{fold}}.csv",
        names=f"{MODEL}/representation/names.csv",
    output:
        png=report(
            f"{MODEL}/figures/law.png",
            caption="../report/law.rst",
            category="0 Claims",
            labels={"figure": "the law"},
        ),
        svg=f"{MODEL}/figures/law.svg",
        data=f"{MODEL}/figures/law.csv",
    log:
        f"{MODEL}/logs/figure_law.log",
    benchmark:
        f"{MODEL}/benchmarks/figure_law.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        task=settings("task"),
        seed=CONFIG.seed,
        code=code("figure_law"),
        environment=ENVIRONMENT_DIGEST,
    message:
        "Drawing the law"
    script:
        "../../scripts/figure_law.py"


rule figure_flips:
    input:
        flips=f"{MODEL}/evaluation/judged_flips.csv",
        codes=f"{MODEL}/evaluation/flips.safetensors",
        tcvae=f"{MODEL}/representation/tcvae.safetensors",
    output:
        png=report(
            f"{MODEL}/figures/flips.png",
            caption="../report/flips.rst",
            category="5 Evaluation",
            labels={"figure": "adversarial flips decoded"},
        ),
        svg=f"{MODEL}/figures/flips.svg",
        data=f"{MODEL}/figures/flips.csv",
    log:
        f"{MODEL}/logs/figure_flips.log",
    benchmark:
        f"{MODEL}/benchmarks/figure_flips.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        task=settings("task"),
        confidence=CONFIG.evaluation.attack_confidence,
        code=code("figure_flips"),
        environment=ENVIRONMENT_DIGEST,
    message:
        "Drawing adversarial flips"
    script:
        "../../scripts/figure_flips.py"


rule figure_attack_curves:
    input:
        curves=f"{MODEL}/evaluation/attack_curves.csv",
        flips=f"{MODEL}/evaluation/flips.csv",
    output:
        png=report(
            f"{MODEL}/figures/attack_curves.png",
            caption="../report/attack_curves.rst",
            category="5 Evaluation",
            labels={"figure": "attack curves"},
        ),
        svg=f"{MODEL}/figures/attack_curves.svg",
        data=f"{MODEL}/figures/attack_curves.csv",
    log:
        f"{MODEL}/logs/figure_attack_curves.log",
    benchmark:
        f"{MODEL}/benchmarks/figure_attack_curves.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        code=code("figure_attack_curves"),
        environment=ENVIRONMENT_DIGEST,
    message:
        "Drawing attack curves"
    script:
        "../../scripts/figure_attack_curves.py"


rule figure_failures:
    input:
        summary=f"{MODEL}/evaluation/failure_modes.csv",
        terms=f"{MODEL}/evaluation/failure_terms.csv",
        probes=f"{MODEL}/evaluation/failure_probes.safetensors",
    output:
        png=report(
            f"{MODEL}/figures/failures.png",
            caption="../report/failures.rst",
            category="5 Evaluation",
            labels={"figure": "failure modes"},
        ),
        svg=f"{MODEL}/figures/failures.svg",
        data=f"{MODEL}/figures/failures.csv",
    log:
        f"{MODEL}/logs/figure_failures.log",
    benchmark:
        f"{MODEL}/benchmarks/figure_failures.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        task=settings("task"),
        code=code("figure_failures"),
        environment=ENVIRONMENT_DIGEST,
    message:
        "Drawing failure modes"
    script:
        "../../scripts/figure_failures.py"
