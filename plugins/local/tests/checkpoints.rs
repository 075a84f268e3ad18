//! Checkpoints: exact, complete or absent, and never believed when damaged.

#![allow(clippy::unwrap_used)] // the lint's own exception covers test functions only

mod support;

use half::bf16;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
};
use support::{
    disk::Disk,
    lab::{Files, Lab, Session, adam, batch, lora, nll},
};
use tinsmith_local::Local;
use tinsmith_plugin_api::{
    AdapterSpec, ErrorKind, Export, HostServices, OpenRun, Outcome, SampleRequest, Samples, Save,
    Services, testing, ticket,
};
use tinsmith_test_support::tiny_model::{TinyModel, tiny_llama};

/// Weight files of a checkpoint, by kind of run.
fn weights_of(adapter: &AdapterSpec) -> &'static str {
    if *adapter == AdapterSpec::Full { "model.safetensors" } else { "adapter_model.safetensors" }
}

#[test]
fn training_goes_on_from_a_checkpoint_bit_for_bit() {
    for adapter in [lora(), AdapterSpec::Full] {
        let batches: Vec<_> = (0..6).map(|i| batch(&[20, 31, 9], i)).collect();
        let lab = Lab::new();
        let mut whole = lab.open(adapter.clone());
        let losses: Vec<f64> = batches.iter().map(|b| whole.step(b)).collect();
        let whole = whole.save_state("whole");

        let mut half = lab.open(adapter.clone());
        batches[..3].iter().for_each(|b| {
            half.step(b);
        });
        let saved = half.save_state("half");
        drop(half);
        let mut rest = lab.reopen(&saved);
        let resumed: Vec<f64> = batches[3..].iter().map(|b| rest.step(b)).collect();
        assert_eq!(resumed, losses[3..]);
        let rest = rest.save_state("rest");
        for file in [weights_of(&adapter), "optimizer.safetensors"] {
            let [a, b] = [&whole, &rest].map(|saved| lab.blob(&format!("{}/{file}", saved.uri)));
            assert!(a == b, "{file} differs");
        }
    }
}

#[test]
fn a_checkpoint_before_the_first_step_can_be_resumed_too() {
    let lab = Lab::new();
    let text = batch(&[20], 1);
    let mut fresh = lab.open(lora());
    let saved = fresh.save_state("zero");
    let mut resumed = lab.reopen(&saved);
    assert_eq!(
        (0..3).map(|_| fresh.step(&text)).collect::<Vec<_>>(),
        (0..3).map(|_| resumed.step(&text)).collect::<Vec<_>>()
    );
}

#[test]
fn the_files_are_what_peft_writes() {
    let lab = Lab::new();
    let mut run = lab.open(lora());
    run.step(&batch(&[20], 1));
    let saved = run.save_state("one");
    assert_eq!(saved.uri, "checkpoints/one");
    let mut exported = Files::default();
    lab.trainer.export(&saved.uri, Export::Adapter, &mut exported).unwrap();
    assert_eq!(exported.names(), ["adapter_config.json", "adapter_model.safetensors"]);

    let config: Value = serde_json::from_slice(&exported.0[0].1).unwrap();
    // What `LoraConfig(...).save_pretrained` of PEFT 0.21 writes for these settings.
    for (key, value) in [
        ("peft_type", json!("LORA")),
        ("task_type", json!("CAUSAL_LM")),
        ("r", json!(4)),
        ("lora_alpha", json!(8)),
        ("lora_dropout", json!(0.0)),
        ("bias", json!("none")),
        ("base_model_name_or_path", json!(lab.base())),
        ("use_rslora", json!(false)),
        (
            "target_modules",
            json!([
                "down_proj",
                "gate_proj",
                "k_proj",
                "lm_head",
                "o_proj",
                "q_proj",
                "up_proj",
                "v_proj"
            ]),
        ),
    ] {
        assert_eq!(config[key], value, "{key}");
    }
    let file = SafeTensors::deserialize(&exported.0[1].1).unwrap();
    assert_eq!(file.len(), 2 * (2 * 7 + 1));
    let shape = |name: &str| file.tensor(name).unwrap().shape().to_vec();
    let layer = "base_model.model.model.layers.1";
    assert_eq!(shape(&format!("{layer}.self_attn.k_proj.lora_A.weight")), [4, 32]);
    assert_eq!(shape(&format!("{layer}.self_attn.k_proj.lora_B.weight")), [16, 4]);
    assert_eq!(shape("base_model.model.lm_head.lora_B.weight"), [320, 4]);
}

#[test]
fn the_manifest_names_every_file_with_its_sha256() {
    use sha2::{Digest, Sha256};
    let lab = Lab::new();
    let saved = lab.open(lora()).save_state("one");
    let bytes = lab.blob("checkpoints/one/manifest.json");
    let hex =
        |bytes: &[u8]| Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect::<String>();
    assert_eq!(saved.sha256, Some(hex(&bytes)));
    let manifest: Value = serde_json::from_slice(&bytes).unwrap();
    let files = manifest["files"].as_object().unwrap();
    let mut keys: Vec<String> = files.keys().map(|f| format!("checkpoints/one/{f}")).collect();
    let mut total = 0;
    for (name, entry) in files {
        let blob = lab.blob(&format!("checkpoints/one/{name}"));
        assert_eq!(entry["sha256"], json!(hex(&blob)));
        assert_eq!(entry["bytes"], json!(blob.len()));
        total += blob.len() as u64;
    }
    assert_eq!(saved.bytes, Some(total));
    keys.push("checkpoints/one/manifest.json".into());
    keys.sort();
    assert_eq!(lab.host.memory_store().keys(), keys);
}

#[test]
fn every_damage_is_found_and_named() {
    let lab = Lab::new();
    let mut run = lab.open(lora());
    run.step(&batch(&[20], 1));
    let saved = run.save_state("one");
    let open = || {
        let from = OpenRun::Saved { uri: saved.uri.clone(), optimizer: true };
        lab.trainer.open(from).err()
    };
    assert!(open().is_none());
    let store = lab.host.memory_store();
    for key in store.keys() {
        let whole = lab.blob(&key);
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 4;
        for bad in [&whole[..whole.len() - 2], &[], flipped.as_slice()] {
            store.overwrite(&key, bad);
            let e = open().unwrap_or_else(|| panic!("damaged {key} was accepted"));
            let file = key.rsplit('/').next().unwrap();
            assert_eq!(e.kind(), ErrorKind::DATA, "{e}");
            assert!(e.to_string().contains(file) || file == "manifest.json", "{key}: {e}");
            assert!(e.hint().is_some());
        }
        store.overwrite(&key, &whole);
    }
    // A size in the manifest is no reason to ask for as much memory.
    let key = "checkpoints/one/manifest.json";
    let whole = lab.blob(key);
    let mut manifest: Value = serde_json::from_slice(&whole).unwrap();
    for bytes in [u64::MAX, 1 << 56, 3] {
        manifest["files"]["optimizer.safetensors"]["bytes"] = json!(bytes);
        store.overwrite(key, manifest.to_string().as_bytes());
        let e = open().unwrap();
        assert_eq!(e.kind(), ErrorKind::DATA, "{e}");
        assert!(e.to_string().contains("optimizer.safetensors"), "{e}");
    }
    store.overwrite(key, &whole);
    lab.host.services().store().unwrap().delete("checkpoints/one/run.json").unwrap();
    let e = open().unwrap();
    assert_eq!(e.to_string(), "`checkpoints/one/run.json` is damaged: it is missing");
}

#[test]
fn without_a_manifest_there_is_no_checkpoint() {
    let lab = Lab::new();
    let mut run = lab.open(lora());
    let (one, two) = (run.save_state("one"), run.save_state("two"));
    lab.host.services().store().unwrap().delete("checkpoints/one/manifest.json").unwrap();
    let listed = lab.trainer.checkpoints(None).unwrap();
    assert_eq!(listed.iter().map(|c| &c.uri).collect::<Vec<_>>(), [&two.uri]);
    let from = OpenRun::Saved { uri: one.uri, optimizer: true };
    let e = lab.trainer.open(from).err().unwrap();
    assert_eq!(e.kind(), ErrorKind::NOT_FOUND, "{e}");
}

#[test]
fn listing_shows_kinds_and_runs_and_deleting_leaves_nothing() {
    let lab = Lab::new();
    let (mut a, mut b) = (lab.open(lora()), lab.open(AdapterSpec::Full));
    a.save_state("same");
    a.save(Save::Sampler { name: "same".into() }).unwrap();
    b.save(Save::State { name: "full".into(), optimizer: false }).unwrap();
    let all = lab.trainer.checkpoints(None).unwrap();
    let seen: Vec<_> = all.iter().map(|c| (c.uri.as_str(), c.optimizer)).collect();
    assert_eq!(
        seen,
        [("checkpoints/full", false), ("checkpoints/same", true), ("samplers/same", false)]
    );
    assert!(all.iter().all(|c| c.bytes.is_some() && c.created.is_some()));
    assert_eq!(lab.trainer.checkpoints(Some(&a.0.id())).unwrap().len(), 2);
    let from = OpenRun::Saved { uri: "checkpoints/full".into(), optimizer: true };
    let e = lab.trainer.open(from).err().unwrap();
    assert!(e.to_string().contains("without optimizer"), "{e}");

    for uri in ["checkpoints/full", "checkpoints/same", "samplers/same", "samplers/same"] {
        lab.trainer.delete(uri).unwrap();
    }
    assert_eq!(lab.host.memory_store().keys(), Vec::<String>::new());
    assert!(lab.trainer.delete("../outside").is_err());
    let e = a.save(Save::Sampler { name: "../x".into() }).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::REJECTED);
}

#[test]
fn a_checkpoint_over_another_base_is_refused() {
    let lab = Lab::new();
    let mut run = lab.open(lora());
    let saved = run.save_state("one");
    // Closing waits for the run's thread: nothing maps the old files any more.
    run.0.close(Outcome::Success).unwrap();
    TinyModel { seed: 99, ..TinyModel::default() }.write(lab.base().as_ref()).unwrap();
    let from = OpenRun::Saved { uri: saved.uri, optimizer: true };
    let e = lab.trainer.open(from).err().unwrap();
    assert!(e.to_string().contains("not the one the checkpoint was trained on"), "{e}");
}

#[test]
fn a_full_export_is_a_model_directory_that_opens() {
    let lab = Lab::new();
    let mut run = lab.open(AdapterSpec::Full);
    let text = batch(&[20], 1);
    run.step(&text);
    let expected = run.forward(&text).unwrap().logprobs;
    let saved = run.save_state("one");
    let mut exported = Files::default();
    lab.trainer.export(&saved.uri, Export::Model, &mut exported).unwrap();
    assert_eq!(
        exported.names(),
        [
            "config.json",
            "generation_config.json",
            "tokenizer.json",
            "tokenizer_config.json",
            "model.safetensors"
        ]
    );
    exported.write_to(&lab.dir.path().join("tuned"));
    let model = lab.dir.path().join("tuned").to_str().unwrap().to_owned();
    let mut tuned = Session(lab.trainer.open(OpenRun::Base { model, adapter: lora() }).unwrap());
    assert_eq!(tuned.forward(&text).unwrap().logprobs, expected);
    assert!(lab.trainer.export(&saved.uri, Export::Adapter, &mut Files::default()).is_err());
}

/// A base in bf16: training keeps f32 weights, a checkpoint resumes them exactly, and the exported
/// model has the dtype of the base.
#[test]
fn a_half_precision_base_is_trained_in_full_precision() {
    let lab = Lab::new();
    let path = lab.dir.path().join("base").join("model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let halves: Vec<(String, Vec<usize>, Vec<u8>)> = file
        .tensors()
        .into_iter()
        .map(|(name, tensor)| (name, tensor.shape().to_vec(), to_bf16(tensor.data())))
        .collect();
    let views = halves.iter().map(|(name, shape, data)| {
        (name, TensorView::new(Dtype::BF16, shape.clone(), data).unwrap())
    });
    std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();

    let text = batch(&[20], 1);
    let mut run = lab.open(AdapterSpec::Full);
    run.step(&text);
    let saved = run.save_state("one");
    let expected = run.step(&text);
    assert_eq!(lab.reopen(&saved).step(&text), expected);

    let mut exported = Files::default();
    lab.trainer.export(&saved.uri, Export::Model, &mut exported).unwrap();
    let exported = SafeTensors::deserialize(&exported.0.last().unwrap().1).unwrap();
    let master = lab.blob("checkpoints/one/model.safetensors");
    let master = SafeTensors::deserialize(&master).unwrap();
    assert_eq!(exported.len(), halves.len());
    for (name, tensor) in exported.tensors() {
        assert_eq!(tensor.dtype(), Dtype::BF16);
        assert_eq!(tensor.data(), to_bf16(master.tensor(&name).unwrap().data()), "{name}");
    }
}

fn to_bf16(f32s: &[u8]) -> Vec<u8> {
    let (values, _) = f32s.as_chunks();
    values.iter().flat_map(|v| bf16::from_f32(f32::from_le_bytes(*v)).to_le_bytes()).collect()
}

/// A disk that fills up during a save: the error says so, nothing half-written counts, the
/// checkpoint of that name is gone rather than wrong, and the run goes on.
#[test]
fn a_full_disk_costs_the_checkpoint_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    tiny_llama(dir.path(), 1).unwrap();
    let disk = Arc::new(Disk::default());
    let services = Services::new(Arc::clone(&disk) as Arc<dyn HostServices>);
    let trainer = testing::trainer::<Local>(&json!({}), &services).unwrap();
    let model = dir.path().to_str().unwrap().to_owned();
    let mut run = Session(trainer.open(OpenRun::Base { model, adapter: lora() }).unwrap());
    let text = batch(&[20], 1);
    run.step(&text);
    run.save_state("one");
    for room in 0..4 {
        disk.room.store(room, Ordering::SeqCst);
        let again = run.save(Save::State { name: "one".into(), optimizer: true });
        let e = again.unwrap_err();
        assert_eq!(e.kind(), ErrorKind::IO, "{e}");
        assert!(e.to_string().contains("checkpoints/one/"), "{e}");
        assert_eq!(trainer.checkpoints(None).unwrap(), []);
        disk.room.store(usize::MAX, Ordering::SeqCst);
        run.step(&text);
        run.save_state("one");
        assert_eq!(trainer.checkpoints(None).unwrap().len(), 1);
    }
}

#[test]
fn a_damaged_file_is_not_exported() {
    let lab = Lab::new();
    let saved = lab.open(lora()).save_state("one");
    let key = "checkpoints/one/adapter_model.safetensors";
    let mut bytes = lab.blob(key);
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    lab.host.memory_store().overwrite(key, &bytes);
    let e = lab.trainer.export(&saved.uri, Export::Adapter, &mut Files::default()).unwrap_err();
    assert!(e.to_string().contains("adapter_model.safetensors` is damaged"), "{e}");
}

/// The same prompt answers the same from memory, from the store, and from an exported directory.
#[test]
fn samplers_open_from_every_place() {
    let lab = Lab::new();
    let mut run = lab.open(lora());
    for _ in 0..5 {
        run.forward_backward(&batch(&[20], 1), &nll()).unwrap();
        run.optim_step(adam()).unwrap();
    }
    let ephemeral = run.save(Save::Ephemeral).unwrap();
    let stored = run.save(Save::Sampler { name: "s".into() }).unwrap();
    let state = run.save_state("s");
    let mut exported = Files::default();
    lab.trainer.export(&state.uri, Export::Adapter, &mut exported).unwrap();
    let dir = lab.dir.path().join("adapter");
    exported.write_to(&dir);
    drop(run);

    let answer = |source: &str| {
        let sampler = lab.trainer.sampler(source).unwrap();
        let (done, answer) = ticket::<Samples>();
        let request = SampleRequest { prompt: vec![72, 105], max_tokens: Some(8), ..greedy() };
        sampler.sample(request, done);
        answer.wait().unwrap()
    };
    let sources = [&ephemeral.uri, &stored.uri, &state.uri, dir.to_str().unwrap()];
    let answers: Vec<Samples> = sources.map(answer).into();
    for other in &answers[1..] {
        assert_eq!(other, &answers[0]);
    }
    assert_ne!(answer(&lab.base()), answers[0], "the base answers otherwise");
    lab.trainer.delete(&ephemeral.uri).unwrap();
    let e = lab.trainer.sampler(&ephemeral.uri).err().unwrap();
    assert_eq!(e.kind(), ErrorKind::NOT_FOUND);

    // An adapter may name its base relative to its own folder.
    let path = dir.join("adapter_config.json");
    let mut config: BTreeMap<String, Value> =
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    config.insert("base_model_name_or_path".into(), json!("base"));
    std::fs::write(&path, serde_json::to_vec(&config).unwrap()).unwrap();
    assert_eq!(answer(dir.to_str().unwrap()), answers[0]);
}

fn greedy() -> SampleRequest {
    SampleRequest { temperature: 0.0, stop_tokens: Some(Vec::new()), ..SampleRequest::default() }
}
