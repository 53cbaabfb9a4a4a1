# Raw images -> nuclei -> crops.h5 -> split.


rule simulate_fields:
    output:
        fields=[
            f"{RUN}/raw/plate_{i:03d}.tif" for i in range(CONFIG.input.simulate.fields)
        ],
        truth=f"{RUN}/raw/truth.csv",
    log:
        f"{RUN}/logs/simulate_fields.log",
    benchmark:
        f"{RUN}/benchmarks/simulate_fields.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        simulate=settings("input", "simulate"),
        seed=CONFIG.seed,
        code=code("simulate_fields"),
        environment=ENVIRONMENT_DIGEST,
    message:
        "Simulating fields of nuclei with known factors"
    script:
        "../../scripts/simulate_fields.py"


rule segment_fields:
    input:
        fields=bundle_fields,
        masks=bundle_masks,
    output:
        labels=f"{RUN}/segmentation/bundle_{{bundle}}.h5",
        objects=f"{RUN}/segmentation/bundle_{{bundle}}_objects.csv",
        log_table=f"{RUN}/segmentation/bundle_{{bundle}}_inputs.csv",
    log:
        f"{RUN}/logs/segment_fields_{{bundle}}.log",
    benchmark:
        f"{RUN}/benchmarks/segment_fields_{{bundle}}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=lambda wildcards, input, attempt: attempt
        * (2000 + 20 * int(input.size_mb)),
        runtime=60,
    params:
        reading=field_settings(),
        segmentation=settings("segmentation"),
        code=code("segment_fields"),
        environment=ENVIRONMENT_DIGEST,
    message:
        "Finding nuclei in the fields of bundle {wildcards.bundle}"
    script:
        "../../scripts/segment_fields.py"


rule set_scale:
    input:
        objects=field_bundles("_objects.csv"),
        log_tables=field_bundles("_inputs.csv"),
    output:
        scale=f"{RUN}/scale.json",
    log:
        f"{RUN}/logs/set_scale.log",
    benchmark:
        f"{RUN}/benchmarks/set_scale.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        crops=settings("crops"),
        code=code("set_scale"),
        environment=ENVIRONMENT_DIGEST,
    message:
        "Setting one scale for all crops"
    script:
        "../../scripts/set_scale.py"


rule cut_crops:
    input:
        fields=bundle_fields,
        labels=f"{RUN}/segmentation/bundle_{{bundle}}.h5",
        scale=f"{RUN}/scale.json",
        table=label_table(),
    output:
        crops=f"{RUN}/parts/bundle_{{bundle}}.h5",
        quality=f"{RUN}/parts/bundle_{{bundle}}_quality.csv",
        factors=f"{RUN}/parts/bundle_{{bundle}}_factors.csv",
    log:
        f"{RUN}/logs/cut_crops_{{bundle}}.log",
    benchmark:
        f"{RUN}/benchmarks/cut_crops_{{bundle}}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=lambda wildcards, input, attempt: attempt
        * (2000 + 20 * int(input.size_mb)),
        runtime=60,
    params:
        reading=field_settings(),
        crops=settings("crops"),
        task=settings("task"),
        all_fields=field_names(),
        simulated=CONFIG.input.kind == "simulate",
        code=code("cut_crops"),
        environment=ENVIRONMENT_DIGEST,
    message:
        "Cutting nucleus crops from bundle {wildcards.bundle}"
    script:
        "../../scripts/cut_crops.py"


rule import_crops:
    input:
        files=lambda wildcards: user_crop_files(),
    output:
        crops=f"{RUN}/parts/imported.h5",
        quality=f"{RUN}/parts/imported_quality.csv",
        factors=f"{RUN}/parts/imported_factors.csv",
        log_table=f"{RUN}/segmentation/imported_inputs.csv",
        scale=f"{RUN}/parts/imported_scale.json",
    log:
        f"{RUN}/logs/import_crops.log",
    benchmark:
        f"{RUN}/benchmarks/import_crops.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=lambda wildcards, input, attempt: attempt
        * (2000 + 50 * int(input.size_mb)),
        runtime=120,
    params:
        reading=settings("input", "crops"),
        segmentation=settings("segmentation"),
        crops=settings("crops"),
        task=settings("task"),
        code=code("import_crops"),
        environment=ENVIRONMENT_DIGEST,
    message:
        "Importing your crops"
    script:
        "../../scripts/import_crops.py"


rule collect_crops:
    input:
        crops=crop_parts(".h5"),
        quality=crop_parts("_quality.csv"),
        factors=crop_parts("_factors.csv"),
        log_tables=input_logs(),
        scale=scale_file(),
    output:
        crops=f"{RUN}/crops.h5",
        quality=report(
            f"{RUN}/quality.csv",
            caption="../report/quality.rst",
            category="1 Data",
            labels={"table": "excluded nuclei and files"},
        ),
        inputs=f"{RUN}/inputs.csv",
        factors=f"{RUN}/factors.csv",
    log:
        f"{RUN}/logs/collect_crops.log",
    benchmark:
        f"{RUN}/benchmarks/collect_crops.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=lambda wildcards, input, attempt: attempt * (1000 + int(input.size_mb)),
        runtime=60,
    params:
        task=settings("task"),
        code=code("collect_crops"),
        environment=ENVIRONMENT_DIGEST,
    message:
        "Collecting all crops in crops.h5"
    script:
        "../../scripts/collect_crops.py"


rule split_crops:
    input:
        crops=f"{RUN}/crops.h5",
    output:
        split=f"{RUN}/split/fold-{{fold}}.csv",
        summary=f"{RUN}/split/fold-{{fold}}.json",
    log:
        f"{RUN}/logs/split_crops_fold-{{fold}}.log",
    benchmark:
        f"{RUN}/benchmarks/split_crops_fold-{{fold}}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        split={k: v for k, v in settings("split").items() if k != "run_folds"},
        task=settings("task"),
        seed=CONFIG.seed,
        code=code("split_crops"),
        environment=ENVIRONMENT_DIGEST,
    message:
        "Splitting crops by group, fold {wildcards.fold}"
    script:
        "../../scripts/split_crops.py"
