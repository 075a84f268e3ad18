//! Faulty configs through the real binary: what is said about each kind of fault. The expected texts are written by hand from `docs/style.md`.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use tinsmith_test_support::cli::Sandbox;

const BASE: &str = "model: {base_model: ./base}\ndatasets: [{path: chats.jsonl}]\n";

fn sandbox() -> Sandbox {
    Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"))
}

/// What `config show` says about a file that it refuses, without the `exit` and `---` lines.
#[track_caller]
fn refused(name: &str, content: impl AsRef<[u8]>, sets: &[&str]) -> String {
    let sandbox = sandbox();
    sandbox.write(name, content);
    let mut args = vec!["config", "show", name];
    for set in sets {
        args.extend(["--set", set]);
    }
    let shown = sandbox.show(&args);
    match shown.strip_prefix("exit 2\n--- stderr\n") {
        Some(rest) => rest.to_owned(),
        None => panic!("not refused: {shown}"),
    }
}

#[track_caller]
fn refused_yaml(more: &str, expected: &str) {
    assert_eq!(refused("run.yaml", format!("{BASE}{more}"), &[]), expected);
}

#[test]
fn unknown_keys_are_told_with_the_nearest_one() {
    refused_yaml(
        "lora:\n  rnak: 8\n",
        "error: run.yaml:4:3: `lora`: unknown key `rnak`\n\nhint: did you mean `rank`?\n",
    );
    refused_yaml(
        "trainign: {}\n",
        "error: run.yaml:3:1: unknown key `trainign`\n\nhint: did you mean `training`?\n",
    );
    refused_yaml(
        "\"a\\nb\\e[31m\": 1\n",
        "error: run.yaml:3:1: unknown key `a\\nb\\u{1b}[31m`\n\n\
         hint: known keys are model, lora, renderer, datasets, data, training, optimizer, schedule, \
         eval, checkpoint, trainer, storage, output, run_name, tracking, limits, serve, plugins\n",
    );
    refused_yaml(
        "tracking: {wandb: x}\n",
        "error: run.yaml:3:12: `tracking`: unknown key `wandb`\n\nhint: this section has no keys yet\n",
    );
    refused_yaml(
        "checkpoint: {banana: x}\n",
        "error: run.yaml:3:14: `checkpoint`: unknown key `banana`\n\n\
         hint: known keys are every_steps, keep_last\n",
    );
}

#[test]
fn keys_of_other_sections_and_other_trainers_are_told_by_their_name_here() {
    refused_yaml(
        "training: {learning_rate: 1e-4}\n",
        "error: run.yaml:3:12: `training`: unknown key `learning_rate`\n\n\
         hint: did you mean `optimizer.learning_rate`?\n",
    );
    refused_yaml(
        "lora_r: 16\n",
        "error: run.yaml:3:1: unknown key `lora_r`\n\nhint: here it is called `lora.rank`\n",
    );
    refused_yaml(
        "training: {gradient_accumulation_steps: 4}\n",
        "error: run.yaml:3:12: `training`: unknown key `gradient_accumulation_steps`\n\n\
         hint: give the whole optimizer batch as `training.batch_size`; \
         the trainer splits it as memory allows\n",
    );
}

#[test]
fn wrong_types_are_told_with_what_was_expected_and_found() {
    for (more, expected) in [
        (
            "lora: {rank: -1}\n",
            "error: run.yaml:3:14: `lora.rank`: expected a whole number from 0 to 4294967295, found `-1`\n",
        ),
        (
            "lora: {rank: 4.5}\n",
            "error: run.yaml:3:14: `lora.rank`: expected a whole number from 0 to 4294967295, found `4.5`\n",
        ),
        (
            "lora: {rank: 5000000000}\n",
            "error: run.yaml:3:14: `lora.rank`: expected a whole number from 0 to 4294967295, \
             found `5000000000`\n",
        ),
        (
            "optimizer: {learning_rate: '1e-4'}\n",
            "error: run.yaml:3:28: `optimizer.learning_rate`: expected a number, found the text \
             `1e-4`\n\nhint: write the number without quotes, `_` or units\n",
        ),
        (
            "data:\n  shuffle: yes\n",
            "error: run.yaml:4:12: `data.shuffle`: expected `true` or `false`, found the text `yes`\
             \n\nhint: write `true`; YAML 1.2 reads `yes` and `on` as text\n",
        ),
        (
            "run_name: 12\n",
            "error: run.yaml:3:11: `run_name`: expected text, found `12`\n\nhint: put it in quotes\n",
        ),
        (
            "training:\n  epochs:\n",
            "error: run.yaml:4:9: `training.epochs`: expected a whole number from 0 to 4294967295, found \
             nothing\n\nhint: remove the key to get its default\n",
        ),
        (
            "data: {overlong: truncate}\n",
            "error: run.yaml:3:18: `data.overlong`: unknown value `truncate`\n\n\
             hint: use one of error, drop, truncate_right, truncate_left, drop_turns\n",
        ),
        (
            "schedule: consine\n",
            "error: run.yaml:3:11: `schedule`: unknown value `consine`\n\n\
             hint: did you mean `cosine`? known are linear, cosine, constant, wsd\n",
        ),
        (
            "lora: [1, 2]\n",
            "error: run.yaml:3:7: `lora`: expected a map of keys, found a list\n\n\
             hint: write `lora: {rank: 16}`\n",
        ),
        (
            "trainer: 7\n",
            "error: run.yaml:3:10: `trainer`: expected the name of a plugin, or a map with `name` \
             and the plugin's keys, found `7`\n",
        ),
    ] {
        refused_yaml(more, expected);
    }
}

#[test]
fn what_types_cannot_say_is_checked_too() {
    for (more, expected) in [
        (
            "optimizer: {learning_rate: 0}\n",
            "error: run.yaml:3:28: `optimizer.learning_rate`: must be above 0, not 0\n\n\
             hint: common rates are 1e-5 to 1e-3\n",
        ),
        (
            "data: {eval: {fraction: 1.5}}\n",
            "error: run.yaml:3:25: `data.eval.fraction`: must be between 0 and 1, not 1.5\n\n\
             hint: 0.1 holds out a tenth; for a number of records use `count`\n",
        ),
        (
            "data: {eval: {fraction: 0.1, count: 3}}\n",
            "error: run.yaml:3:8: `data.eval`: exactly one of `path`, `fraction` and `count` must \
             be given\n\nhint: for example `eval: {fraction: 0.1}`\n",
        ),
        (
            "training: {max_steps: 0}\n",
            "error: run.yaml:3:23: `training.max_steps`: must be at least 1, not 0\n\n\
             hint: `tinsmith train CONFIG --dry-run` plans without training\n",
        ),
        (
            "schedule: {warmup_ratio: 1.0}\n",
            "error: run.yaml:3:26: `schedule.warmup_ratio`: must be from 0 to below 1, not 1\n\n\
             hint: 0.03 warms up for 3 % of the steps; for a number of steps use `warmup_steps`\n",
        ),
        (
            "eval: {samples: 3}\n",
            "error: run.yaml:3:17: `eval.samples`: nothing is held out to evaluate on\n\n\
             hint: hold something out with `data.eval`, for example `eval: {fraction: 0.1}`\n",
        ),
        (
            "data: {eval: {count: 1}}\neval: {checks: {form: '('}}\n",
            "error: run.yaml:4:23: `eval.checks.form`: not a regular expression: unclosed group\n\n\
             hint: put it in single quotes\n",
        ),
        (
            "lora: {train_attn: false, train_mlp: false}\n",
            "error: run.yaml:3:1: `lora`: nothing is trained\n\n\
             hint: set one of `train_attn`, `train_mlp`, `train_unembed` to true\n",
        ),
    ] {
        refused_yaml(more, expected);
    }
    for more in [
        "lora: {rank: 0}\n",
        "lora: {alpha: 0}\n",
        "optimizer: {beta1: 1}\n",
        "optimizer: {beta2: -0.1}\n",
        "optimizer: {eps: 0}\n",
        "optimizer: {weight_decay: -1}\n",
        "optimizer: {grad_clip_norm: -1}\n",
        "schedule: {warmup_steps: 1, warmup_ratio: 0.1}\n",
        "schedule: {name: wsd, warmup_ratio: 0.9}\n",
        "schedule: {min_lr_ratio: 2}\n",
        "schedule: {decay_ratio: 0}\n",
        "training: {batch_size: 0}\n",
        "training: {epochs: 0}\n",
        "checkpoint: {every_steps: 0}\n",
        "checkpoint: {keep_last: 0}\n",
        "limits: {max_hours: 0}\n",
        "limits: {max_usd: -1}\n",
        "limits: {max_tokens: 0}\n",
        "limits: {tokens_per_second: 0}\n",
        "limits: {prices: {train_per_million_tokens: -1}}\n",
        "limits: {prices: {prefill_per_million_tokens: -1}}\n",
        "limits: {prices: {sample_per_million_tokens: -1}}\n",
        "limits: {prices: {models: {org/a: {train_per_million_tokens: -1}}}}\n",
        "limits: {prices: {models: {org/a: {train_per_million_tokens: 1, \
            sample_per_million_tokens: -1}}}}\n",
        "data: {max_length: 1}\n",
        "data: {eval: {}}\n",
    ] {
        let said = refused("run.yaml", format!("{BASE}{more}"), &[]);
        assert!(
            said.starts_with("error: run.yaml:3:") && said.contains("hint: "),
            "{more}: {said}"
        );
    }
}

#[test]
fn what_is_no_config_is_told_with_its_place() {
    for (name, content, expected) in [
        (
            "empty.yaml",
            "",
            "error: empty.yaml: the config is empty\n\n\
             hint: `tinsmith config init run.yaml` writes a first one\n",
        ),
        ("comment.yaml", "# nothing\n", "error: comment.yaml: the config holds no keys\n"),
        ("empty.toml", "# nothing\n", "error: empty.toml: the config holds no keys\n"),
        (
            "text.yaml",
            "just text",
            "error: text.yaml:1:1: expected a map of keys, found the text `just text`\n",
        ),
        (
            "missing.yaml",
            "model: {base_model: b}\n",
            "error: missing.yaml:1:1: the key `datasets` is missing\n\n\
             hint: name the data: `datasets: [{path: chats.jsonl}]`\n",
        ),
        (
            "section.yaml",
            "datasets: [{path: b}]\nmodel:\n  tokenizer: t\n",
            "error: section.yaml:2:1: `model`: the key `base_model` is missing\n\n\
             hint: name the base model: `model: {base_model: ./base}`\n",
        ),
        (
            "twice.yaml",
            "model: {base_model: b, base_model: c}\n",
            "error: twice.yaml:1:24: the key `base_model` is already at 1:9\n\n\
             hint: keep one of the two\n",
        ),
        (
            "twice.toml",
            "[model]\nbase_model = 'b'\nbase_model = 'c'\n",
            "error: twice.toml:3:1: not valid TOML: duplicate key\n",
        ),
        (
            "tab.yaml",
            "model:\n\tbase_model: b\n",
            "error: tab.yaml:2:2: not valid YAML: tabs disallowed within this context (block \
             indentation)\n\nhint: indent with spaces; YAML does not allow tabs\n",
        ),
        (
            "second.yaml",
            "model: {}\n---\nmodel: {}\n",
            "error: second.yaml:2:1: a config is one YAML document; a second one begins here\n\n\
             hint: remove the line `---`\n",
        ),
        ("tag.yaml", "model: !x {}\n", "error: tag.yaml:1:8: YAML tags are not read here\n"),
        (
            "merge.yaml",
            "a: &a {b: 1}\nmodel: {<<: *a}\n",
            "error: merge.yaml:2:9: merge keys (`<<`) are not part of YAML 1.2\n\n\
             hint: repeat the keys, or name the whole section with an anchor and an alias\n",
        ),
        (
            "inf.yaml",
            "optimizer: {eps: .inf}\n",
            "error: inf.yaml:1:18: numbers must be finite: `.inf`\n",
        ),
        (
            "chats.jsonl",
            "{}",
            "error: `chats.jsonl` is a dataset, not a config\n\nhint: write a config with \
             `tinsmith config init run.yaml`, and name the dataset in it\n",
        ),
        (
            "config",
            "{}",
            "error: `config` is not named as a config\n\n\
             hint: name it `.yaml`, `.yml`, `.toml` or `.json`\n",
        ),
    ] {
        assert_eq!(refused(name, content, &[]), expected);
    }
    assert_eq!(
        refused("bytes.yaml", b"a: 1\nb: \"x\xff\"\n", &[]),
        "error: bytes.yaml:2:6: not valid UTF-8\n\nhint: save the file as UTF-8\n"
    );
    let absent = sandbox().show(&["config", "show", "absent.yaml"]);
    assert_eq!(
        absent,
        "exit 2\n--- stderr\n\
         error: read the config `absent.yaml`: No such file or directory (os error 2)\n\n\
         hint: `tinsmith config init run.yaml` writes a first one\n"
    );
}

#[test]
fn what_is_too_deep_or_too_large_is_refused() {
    for (name, content) in [
        ("flow.yaml", format!("a: {}", "[".repeat(100_000))),
        ("flow.toml", format!("a = {}", "[".repeat(100_000))),
        ("block.yaml", (0..500).map(|i| format!("{}a:\n", " ".repeat(i))).collect()),
        ("large.yaml", "a: 1\n".repeat(300_000)),
        // Each line holds ten times the one before.
        (
            "bombs.yaml",
            (1..9).fold("a0: &a0 [x]\n".to_owned(), |text, i| {
                let items = vec![format!("*a{}", i - 1); 10].join(", ");
                format!("{text}a{i}: &a{i} [{items}]\n")
            }),
        ),
    ] {
        assert!(refused(name, content, &[]).starts_with("error: "), "{name}");
    }
}

#[test]
fn faults_of_sets_name_the_flag() {
    for (set, expected) in [
        (
            "lora.rnak=3",
            "error: `--set lora.rnak=3`: `lora`: unknown key `rnak`\n\nhint: did you mean `rank`?\n",
        ),
        (
            "lora.rank=many",
            "error: `--set lora.rank=many`: `lora.rank`: expected a whole number from 0 to 4294967295, \
             found the text `many`\n\nhint: write the number without quotes, `_` or units\n",
        ),
        (
            "lora.rank=0",
            "error: `--set lora.rank=0`: `lora.rank`: must be at least 1, not 0\n\n\
             hint: common ranks are 8 to 64\n",
        ),
        (
            "lora.rank",
            "error: `--set lora.rank`: expected KEY=VALUE\n\n\
             hint: for example `--set optimizer.learning_rate=1e-4`\n",
        ),
        (
            "datasets=[{path: a",
            "error: `--set datasets=[{path: a`: not valid YAML: while parsing a flow \
             mapping, did not find expected ',' or '}'\n",
        ),
    ] {
        assert_eq!(refused("run.yaml", BASE, &[set]), expected);
    }
}

#[test]
fn a_single_value_where_a_section_belongs_shows_the_section() {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    for (text, hint) in [
        ("model: ./base\ndatasets: [{path: a}]\n", "write `model: {base_model: ./base}`"),
        ("model: {base_model: b}\ndatasets: a.jsonl\n", "`datasets: [{path: chats.jsonl}]`"),
        ("model: {base_model: b}\ndatasets: [a.jsonl]\n", "`datasets: [{path: chats.jsonl}]`"),
        ("model: {base_model: b}\ndatasets: [{path: a}]\nlora: 4\n", "write `lora: {rank: 16}`"),
        (
            "model: {base_model: b}\ndatasets: [{path: a}]\ndata: {eval: 0.1}\n",
            "write `data: {eval: {fraction: 0.1}}`",
        ),
        (
            "model: {base_model: b}\ndatasets: [{path: a}]\nlora: {rank: 8.0}\n",
            "write it without a point",
        ),
    ] {
        sandbox.write("run.yaml", text);
        let shown = sandbox.show(&["config", "show", "run.yaml"]);
        assert!(shown.starts_with("exit 2\n") && shown.contains(hint), "{text}{shown}");
    }
}
