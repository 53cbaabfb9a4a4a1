# Pixels -> black box; latents -> dense and sparse networks, selection, streams.


rule train_cnn:
    input:
        crops=f"{RUN}/crops.h5",
        split=f"{RUN}/split/fold-{{fold}}.csv",
    output:
        multiext(
            f"{FOLD}/black_box/cnn",
            model=".safetensors",
            model_meta=".safetensors.meta.json",
            history="_history.csv",
            history_meta="_history.csv.meta.json",
        ),
    log:
        f"{FOLD}/logs/train_cnn.log",
    cache: True
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=lambda wildcards, input, attempt: attempt
        * (3000 + 2 * int(input.size_mb)),
        runtime=120,
        gpu=GPUS,
    params:
        training=settings("black_box"),
        device=CONFIG.device,
        seed=CONFIG.seed,
        code=code("train_cnn"),
        environment=ENVIRONMENT_DIGEST,
    message:
        "Training the black-box CNN, fold {wildcards.fold}"
    script:
        "../../scripts/train_cnn.py"


rule train_networks:
    input:
        crops=f"{RUN}/crops.h5",
        split=f"{RUN}/split/fold-{{fold}}.csv",
        latents=f"{MODEL}/representation/latents.h5",
    output:
        multiext(
            f"{MODEL}/networks/density-{{density}}/seeds_{{first}}-{{last}}",
            networks=".safetensors",
            networks_meta=".safetensors.meta.json",
            history="_history.csv",
            history_meta="_history.csv.meta.json",
        ),
    log:
        f"{MODEL}/logs/train_networks_{{density}}_{{first}}-{{last}}.log",
    cache: True
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=lambda wildcards, input, attempt: attempt * 2000,
        runtime=60,
        gpu=GPUS,
    params:
        training=network_settings(),
        device=CONFIG.device,
        density=lambda wildcards: float(wildcards.density),
        seeds=lambda wildcards: [int(wildcards.first), int(wildcards.last)],
        code=code("train_networks"),
        environment=ENVIRONMENT_DIGEST,
    message:
        "Training networks of density {wildcards.density}, seeds {wildcards.first}-{wildcards.last}"
    script:
        "../../scripts/train_networks.py"


rule select_latents:
    input:
        crops=f"{RUN}/crops.h5",
        split=f"{RUN}/split/fold-{{fold}}.csv",
        latents=f"{MODEL}/representation/latents.h5",
        networks=[
            path for path in network_files(density_names()) if "density-1/" not in path
        ],
    output:
        selection=report(
            f"{MODEL}/networks/selection.csv",
            caption="../report/selection.rst",
            category="3 Networks",
            labels={"table": "latents selected over seeds"},
        ),
        jaccard=f"{MODEL}/networks/jaccard.csv",
        pairs=f"{MODEL}/networks/jaccard_pairs.csv",
        selected=f"{MODEL}/networks/selected.json",
    log:
        f"{MODEL}/logs/select_latents.log",
    benchmark:
        f"{MODEL}/benchmarks/select_latents.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        law_density=CONFIG.networks.law_density,
        frequency=CONFIG.networks.selection_frequency,
        seed=CONFIG.seed,
        code=code("select_latents"),
        environment=ENVIRONMENT_DIGEST,
    message:
        "Counting which latents the sparse networks select"
    script:
        "../../scripts/select_latents.py"


rule trace_streams:
    input:
        crops=f"{RUN}/crops.h5",
        split=f"{RUN}/split/fold-{{fold}}.csv",
        latents=f"{MODEL}/representation/latents.h5",
        networks=law_network_files,
        selected=f"{MODEL}/networks/selected.json",
    output:
        nodes=f"{MODEL}/networks/streams_nodes.csv",
        edges=f"{MODEL}/networks/streams_edges.csv",
        streams=f"{MODEL}/networks/streams.csv",
        responses=f"{MODEL}/networks/stream_responses.csv",
        paths=report(
            f"{MODEL}/networks/streams_paths.csv",
            caption="../report/streams.rst",
            category="3 Networks",
            labels={"table": "logic streams"},
        ),
    log:
        f"{MODEL}/logs/trace_streams.log",
    benchmark:
        f"{MODEL}/benchmarks/trace_streams.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        code=code("trace_streams"),
        environment=ENVIRONMENT_DIGEST,
    message:
        "Tracing the logic streams of a sparse network"
    script:
        "../../scripts/trace_streams.py"
