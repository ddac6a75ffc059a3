"""What other trainers call our keys: Hugging Face's TrainingArguments, PyTorch Lightning, common scripts."""

from __future__ import annotations

from collections.abc import Collection, Mapping

FIELD_WORDS: Mapping[str, tuple[str, ...]] = {
    "optim.lr": ("learning_rate", "lr", "base_lr", "encoder_lr", "lr_rate", "max_lr"),
    "optim.head_lr": ("classifier_lr", "head_learning_rate", "decoder_lr"),
    "optim.weight_decay": ("weight_decay", "wd", "l2"),
    "optim.betas": ("adam_beta1", "adam_beta2", "betas", "beta1", "beta2", "adam_betas"),
    "optim.eps": ("adam_epsilon", "adam_eps", "epsilon", "eps"),
    "optim.clip_norm": (
        "max_grad_norm", "gradient_clip_val", "clip_grad", "grad_clip", "clip_grad_norm", "gradient_clipping", "max_norm",
    ),
    "optim.freeze": ("freeze_encoder", "freeze_backbone", "freeze_layers", "freeze", "n_freeze"),
    "optim.layer_decay": ("layerwise_lr_decay", "llrd", "layer_wise_lr_decay"),
    "optim": ("optimizer", "optimiser"),
    "train.epochs": ("num_train_epochs", "epochs", "num_epochs", "n_epochs", "max_epochs", "epoch"),
    "train.steps": ("max_steps", "num_steps", "n_steps", "total_steps", "num_training_steps", "max_train_steps", "iterations"),
    "train.log_every": ("logging_steps", "log_steps", "log_interval", "log_every_n_steps", "logging_strategy"),
    "train.progress": ("disable_tqdm", "tqdm", "progress_bar", "enable_progress_bar"),
    "train.compile": ("torch_compile", "compile"),
    "train.gradient_checkpointing": ("gradient_checkpointing", "grad_checkpointing", "activation_checkpointing"),
    "batch.size": ("per_device_train_batch_size", "train_batch_size", "batch_size", "bs", "batchsize", "per_gpu_train_batch_size"),
    "batch.micro_size": ("gradient_accumulation_steps", "accumulate_grad_batches", "grad_accum", "micro_batch_size"),
    "batch.window": ("group_by_length", "bucket_by_length"),
    "batch_tokens": ("per_device_eval_batch_size", "eval_batch_size", "batch_size", "max_tokens", "bs"),
    "eval.batch_tokens": ("per_device_eval_batch_size", "eval_batch_size", "per_gpu_eval_batch_size", "val_batch_size"),
    "eval.every": ("eval_steps", "evaluation_strategy", "eval_strategy", "val_check_interval", "eval_interval", "eval_every"),
    "eval.select": ("metric_for_best_model", "load_best_model_at_end", "greater_is_better", "monitor", "best_metric"),
    "eval.patience": ("early_stopping_patience", "patience", "early_stopping", "early_stop"),
    "eval.min_delta": ("early_stopping_threshold", "min_delta"),
    "eval.limit": ("max_eval_samples", "max_val_samples", "limit_val_batches"),
    "checkpoint.every": ("save_steps", "save_strategy", "save_interval", "checkpoint_every"),
    "checkpoint.keep": ("save_total_limit", "save_top_k", "keep_last"),
    "schedule.warmup": ("warmup_ratio", "warmup_steps", "warmup", "num_warmup_steps", "warmup_proportion"),
    "schedule": ("lr_scheduler_type", "lr_scheduler", "scheduler", "lr_schedule"),
    "fabric.precision": ("fp16", "bf16", "mixed_precision", "precision", "dtype", "torch_dtype", "amp", "tf32"),
    "fabric.accelerator": ("device", "cuda", "gpu", "no_cuda", "use_cpu", "accelerator"),
    "fabric.devices": ("gpus", "n_gpu", "num_gpus", "devices", "num_processes", "nproc_per_node"),
    "fabric.strategy": ("ddp", "strategy", "deepspeed", "fsdp"),
    "run.outputs": ("output_dir", "out_dir", "save_dir", "outputs", "logging_dir", "default_root_dir"),
    "out.outputs": ("output_dir", "out_dir", "save_dir", "outputs"),
    "run.name": ("run_name", "experiment_name", "exp_name", "name"),
    "out.name": ("run_name", "experiment_name", "output_file", "name"),
    "run.if_exists": ("overwrite_output_dir", "resume_from_checkpoint", "resume", "overwrite"),
    "out.if_exists": ("overwrite_output_dir", "resume", "overwrite"),
    "checkpoint": ("checkpoint_path", "ckpt_path", "ckpt"),
    "run": ("run_dir", "run_folder", "model_dir"),
    "backbone.path": ("model_name_or_path", "model", "model_name", "pretrained_model", "encoder", "base_model", "tokenizer_name"),
    "method.path": ("model_name_or_path", "model", "model_name", "classifier"),
    "method": ("engine",),
    "templates": ("hypothesis_template", "template", "prompt", "prompt_template"),
    "labels": ("candidate_labels", "classes", "label_names", "class_names"),
    "decide.multi_label": ("multi_label", "multilabel"),
    "decide.threshold": ("threshold", "cutoff"),
    "decide.abstain": ("abstain", "reject_below"),
    "data.max_length": ("max_seq_length", "max_length", "max_len", "seq_len", "model_max_length", "truncation_length"),
    "max_length": ("max_seq_length", "max_len", "seq_len", "model_max_length"),
    "data.root": ("data_dir", "data_path", "dataset_dir", "dataset_path", "root", "data_root"),
    "data.limit": ("max_train_samples", "limit_train_batches", "n_train", "train_size", "num_train_samples"),
    "limit": ("max_eval_samples", "max_samples", "num_samples", "n_samples"),
    "data.cache": ("cache_dir", "hf_cache"),
    "input.file": ("input_file", "test_file", "predict_file", "file"),
    "input.text_column": ("text_column", "text_column_name", "sentence1_key"),
    "input.label_column": ("label_column", "label_column_name"),
    "files": ("test_file", "validation_file"),
    "tasks": ("train_file", "validation_file", "num_labels", "text_column", "label_column"),
    "task": ("dataset", "dataset_name", "dataset_config_name", "task_name", "datasets", "task_names"),
    "weights": ("task_weights", "loss_weights", "loss_weight", "weight", "loss_coefs"),
    "weighting": ("mtl_method", "loss_weighting", "balancing", "method", "loss_balancing", "gradient_method"),
    "sampler": ("sampling", "task_sampler", "mixing", "sampling_strategy"),
    "sampler.temperature": ("temperature", "sampling_temperature", "mixing_temperature"),
    "calibrate.temperature": ("temperature",),
    "sharing": ("parameter_sharing", "mtl_sharing"),
    "sharing.head_dropout": ("dropout", "hidden_dropout_prob", "classifier_dropout", "hidden_dropout"),
    "seed": ("random_seed", "manual_seed", "data_seed", "random_state", "seed_everything"),
    "seeds": ("num_seeds", "n_seeds", "random_seeds"),
    "search.trials": ("n_trials", "num_trials", "trials"),
    "bootstrap": ("n_bootstrap", "num_bootstrap", "bootstrap_samples"),
    "eval.bootstrap": ("n_bootstrap", "num_bootstrap", "bootstrap_samples", "bootstrap"),
}  # fmt: skip
"""Our key -> what others call it. Of several keys with one word, the first that the command takes is named."""

WITHOUT_KEY: Mapping[str, str] = {
    **dict.fromkeys(
        ("report_to", "wandb", "use_wandb", "wandb_project", "tensorboard", "mlflow", "logger"),
        "No tracker is called: records are written to metrics.jsonl and summary.json in the run folder.",
    ),
    **dict.fromkeys(
        ("lora", "use_lora", "lora_r", "lora_rank", "lora_alpha", "lora_dropout", "peft", "adapter", "adapters", "qlora"),
        "There is no LoRA or adapter. To train fewer parameters: optim.freeze=encoder, or optim.freeze=N layers.",
    ),
    **dict.fromkeys(("push_to_hub", "hub_model_id", "hub_token"), "Nothing is uploaded: the run folder holds the weights."),
    **dict.fromkeys(
        ("num_workers", "dataloader_num_workers", "preprocessing_num_workers", "dataloader_pin_memory"),
        "Rows are encoded once and read from disk; there are no loader processes to set.",
    ),
    **dict.fromkeys(
        ("do_train", "do_eval", "do_predict"), "Each is a command of its own: mtl train, mtl eval, mtl zeroshot."
    ),
    **dict.fromkeys(("load_in_8bit", "load_in_4bit", "quantization"), "There are no quantised weights; see fabric.precision."),
    **dict.fromkeys(("label_smoothing", "label_smoothing_factor"), "There is no label smoothing."),
    **dict.fromkeys(
        ("trust_remote_code",), "Code that comes with a model is never run. For a run of yours that names code: --trust."
    ),
}  # fmt: skip
"""What others can set and we cannot, with what there is in its place."""


def field_word(key: str, known: Collection[str]) -> str:
    """A sentence that names our key for a word of the field; empty if the word is not known.

    Args:
        key: as the user wrote it, such as `learning_rate` or `optim.learning_rate`.
        known: dotted keys and groups that the command takes.
    """
    word = key.rpartition(".")[2].lower().replace("-", "_")
    for ours, theirs in FIELD_WORDS.items():
        if word in theirs and ours in known and ours != key:
            return f"Did you mean '{ours}'?"
    return WITHOUT_KEY.get(word, "")
