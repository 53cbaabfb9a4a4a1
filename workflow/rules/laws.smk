# Selected latents -> short expressions.


rule warm_up_laws:
    output:
        f"{RUN}/laws_warm.json",
    log:
        f"{RUN}/logs/warm_up_laws.log",
    benchmark:
        f"{RUN}/benchmarks/warm_up_laws.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        code=code("warm_up_laws"),
        environment=ENVIRONMENT_DIGEST,
    message:
        "Compiling the law engine once for all searches"
    script:
        "../../scripts/warm_up_laws.py"


rule search_laws:
    input:
        crops=f"{RUN}/crops.h5",
        split=f"{RUN}/split/fold-{{fold}}.csv",
        latents=f"{MODEL}/representation/latents.h5",
        networks=law_network_files,
        selected=f"{MODEL}/networks/selected.json",
        warm=f"{RUN}/laws_warm.json",
    output:
        multiext(
            f"{MODEL}/laws/fronts/{{engine}}_{{loss}}_{{target}}_seed-{{seed}}",
            front=".csv",
            front_meta=".csv.meta.json",
        ),
    log:
        f"{MODEL}/logs/search_laws_{{engine}}_{{loss}}_{{target}}_{{seed}}.log",
    cache: True
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=lambda wildcards, input, attempt: attempt * 2000,
        runtime=120,
    params:
        search=search_settings(),
        loss=lambda wildcards: wildcards.loss,
        target=lambda wildcards: wildcards.target,
        engine=lambda wildcards: wildcards.engine,
        seed=lambda wildcards: int(wildcards.seed),
        code=code("search_laws"),
        environment=ENVIRONMENT_DIGEST,
    message:
        "Searching laws: {wildcards.engine}, {wildcards.loss} loss, {wildcards.target}, seed {wildcards.seed}"
    script:
        "../../scripts/search_laws.py"


rule merge_fronts:
    input:
        crops=f"{RUN}/crops.h5",
        split=f"{RUN}/split/fold-{{fold}}.csv",
        latents=f"{MODEL}/representation/latents.h5",
        fronts=fronts(),
    output:
        front=report(
            f"{MODEL}/laws/front.csv",
            caption="../report/front.rst",
            category="4 Laws",
            labels={"table": "all laws found"},
        ),
    log:
        f"{MODEL}/logs/merge_fronts.log",
    benchmark:
        f"{MODEL}/benchmarks/merge_fronts.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        code=code("merge_fronts"),
        environment=ENVIRONMENT_DIGEST,
    message:
        "Merging the fronts of all searches"
    script:
        "../../scripts/merge_fronts.py"


rule choose_law:
    input:
        crops=f"{RUN}/crops.h5",
        split=f"{RUN}/split/fold-{{fold}}.csv",
        latents=f"{MODEL}/representation/latents.h5",
        front=f"{MODEL}/laws/front.csv",
        names=f"{MODEL}/representation/names.csv",
    output:
        law=f"{MODEL}/laws/law.json",
        latex=f"{MODEL}/laws/law.tex",
        python=f"{MODEL}/laws/law.py",
    log:
        f"{MODEL}/logs/choose_law.log",
    benchmark:
        f"{MODEL}/benchmarks/choose_law.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        max_complexity=CONFIG.laws.chosen_complexity,
        tolerance=CONFIG.laws.tolerance,
        code=code("choose_law"),
        environment=ENVIRONMENT_DIGEST,
    message:
        "Choosing the law by validation accuracy and complexity"
    script:
        "../../scripts/choose_law.py"
