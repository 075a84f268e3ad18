//! A loaded plugin computes what the linked one computes, bit for bit.

use super::support::{Home, section, services};
use serde_json::json;
use tinsmith::plugins::Kind;
use tinsmith_plugin_api::{
    LossBatch,
    testing::{GradientCase, check_loss, check_store, table},
};

#[test]
fn renderers_render_alike() {
    let home = Home::new();
    let records = [
        r#"{"question": "What is 2+2?", "answer": "4"}"#,
        r#"{"question": "no answer"}"#,
        r#"{"question": "ünï 😀", "answer": ""}"#,
        "not json",
    ];
    let tables = home.both(&["hello_renderer"]).map(|(_, registry)| {
        let config = section(json!({ "prefix": "Q: " }));
        let hello = registry.renderer("hello", &config, services()).unwrap();
        table(&hello.render_batch(&records).unwrap(), &services())
    });
    assert_eq!(tables[0], tables[1]);
    assert!(tables[0].contains("1  refused  `answer`: is missing"), "{}", tables[0]);
}

/// Every loss of the built-in plugin and the test's own, at many points.
#[test]
fn losses_agree_to_the_bit() {
    let home = Home::new();
    let [(_, linked), (_, loaded)] = home.both(&["focal_loss", "tinsmith_losses"]);
    let none = section(json!({}));
    let entry = linked.plugin("losses").unwrap();
    let names = entry.provides().of(Kind::Loss).iter().map(|name| format!("losses/{name}"));
    for name in names.chain(["focal".to_owned()]) {
        let (a, b) = (linked.loss(&name, &none).unwrap(), loaded.loss(&name, &none).unwrap());
        assert_eq!((a.inputs(), a.scope()), (b.inputs(), b.scope()), "{name}");
        assert_eq!(a.remote(), b.remote(), "{name}");
        for seed in 0..32 {
            let case = GradientCase::plausible(a.inputs(), seed);
            let inputs: Vec<&[f32]> = case.inputs.iter().map(Vec::as_slice).collect();
            let batch = LossBatch {
                logprobs: &case.logprobs,
                inputs: &inputs,
                offsets: &case.offsets,
                groups: &case.groups,
            };
            let (mut x, mut y) = (vec![0.0; case.logprobs.len()], vec![9.0; case.logprobs.len()]);
            assert_eq!(a.evaluate(&batch, &mut x), b.evaluate(&batch, &mut y), "{name} {seed}");
            assert_eq!(x, y, "{name} {seed}");
        }
    }
    // Not for all: some losses stop the gradient of a factor on purpose.
    let focal = loaded.loss("focal", &none).unwrap();
    check_loss(focal.as_ref(), &GradientCase::plausible(focal.inputs(), 77));
}

#[test]
fn storages_behave_alike() {
    let home = Home::new();
    for (linkage, registry) in home.both(&["dir_store", "tinsmith_store_file"]) {
        for scheme in ["flat", "file"] {
            let folder = home.path().join(format!("{linkage}-{scheme}"));
            let config = section(json!({ "uri": format!("{scheme}://{}", folder.display()) }));
            check_store(&registry.storage(scheme, &config, services()).unwrap());
        }
    }
}
