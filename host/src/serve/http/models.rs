//! Models.

use super::{
    Shared,
    body::{Json, Raw},
    reply::{Answer, Refusal, ok},
    sessions::require,
};
use crate::serve::{
    app::App,
    futures::failed,
    ids,
    models::{MadeFrom, Model, ModelRecord, Op, adapter},
    requests::{Kind, Request},
    sessions::Standing,
};
use axum::extract::State;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;
use tinsmith_plugin_api::Error;
use tinsmith_tinker_wire::messages::{
    CreateModel, LoadWeights, LoraConfig, ModelCreated, ModelData, ModelInfo, ModelRef,
    OptimizerConfig, Promise,
};

/// `POST /create_model`.
pub async fn create(State(app): Shared, raw: Raw) -> Answer {
    let body = raw.value()?;
    let counted = body.get("model_seq_id").is_some_and(Value::is_u64);
    let asked: CreateModel = typed(body)?;
    require(app.sessions.standing(&asked.session_id), &asked.session_id)?;
    let n = if counted { asked.model_seq_id } else { next_model(&app, &asked.session_id) };
    let id = ids::model(&asked.session_id, n);
    if app.model_record(&id).is_some() {
        return promise(ids::request(&id, 0), Some(id));
    }
    check_optimizer(asked.optimizer_config.as_ref())?;
    let base = app.base(&asked.base_model)?;
    let lora = asked.lora_config.unwrap_or(LoraConfig {
        rank: 32,
        seed: None,
        train_unembed: true,
        train_mlp: true,
        train_attn: true,
    });
    if lora.rank == 0 || !(lora.train_attn || lora.train_mlp || lora.train_unembed) {
        let what =
            "`lora_config` trains nothing: give a rank of at least 1, and something to train";
        return Err(Refusal::wrong(what));
    }
    base.honours_lora(&lora)?;
    let mut seed = [0; 8];
    ids::fill(&mut seed)?;
    let lora = adapter(&lora, base.alpha, u64::from_le_bytes(seed));
    let record = ModelRecord::new(id.clone(), &base.name, lora, asked.user_metadata);
    let request = tokio::task::block_in_place(|| app.make_model(record))?;
    promise(request, Some(id))
}

/// `POST /load_weights`: a new model from a checkpoint, or a checkpoint into a model.
pub async fn load(State(app): Shared, raw: Raw) -> Answer {
    let body = raw.value()?;
    if body.get("model_id").is_some_and(Value::is_string) {
        return place(&app, &Request::read(Kind::LoadWeights, raw.bytes)?);
    }
    let asked: LoadWeights = typed(body)?;
    let session = asked.session_id.ok_or_else(|| {
        Refusal::wrong("give `session_id` and `model_seq_id`, or `model_id` and `seq_id`")
    })?;
    require(app.sessions.standing(&session), &session)?;
    let n = asked.model_seq_id.unwrap_or_else(|| next_model(&app, &session));
    let id = ids::model(&session, n);
    if app.model_record(&id).is_some() {
        return promise(ids::request(&id, 0), Some(id));
    }
    check_optimizer(asked.optimizer_config.as_ref())?;
    let saved = app.checkpoints.at(&asked.path)?;
    if let Some(wanted) = asked.base_model
        && app.base(&wanted)?.name != saved.base
    {
        let what = format!("`{}` is of the base model `{}`", asked.path, saved.base);
        return Err(Refusal::wrong(what));
    }
    let mut record = ModelRecord::new(id.clone(), &saved.base, saved.lora, asked.user_metadata);
    let (path, uri, optimizer) = (saved.path, saved.uri, asked.optimizer);
    record.made_from = Some(MadeFrom { path, uri, optimizer });
    let request = tokio::task::block_in_place(|| app.make_model(record))?;
    promise(request, Some(id))
}

/// `POST /get_info`.
pub async fn info(State(app): Shared, Json(asked): Json<ModelRef>) -> Answer {
    let model = app.model_record(&asked.model_id).ok_or_else(|| unknown(&asked.model_id))?;
    let base = app.base(&model.base)?;
    let model_data = ModelData {
        arch: base.arch(),
        model_name: Some(base.name.clone()),
        tokenizer_id: Some(base.tokenizer_id().to_owned()),
    };
    ok(&ModelInfo {
        model_data,
        model_id: model.id,
        is_lora: Some(true),
        lora_rank: Some(model.lora.rank),
        model_name: Some(base.name.clone()),
        kind: "get_info".into(),
    })
}

/// `POST /unload_model`: after everything that came before it.
pub async fn unload(State(app): Shared, Json(asked): Json<ModelRef>) -> Answer {
    let id = asked.model_id;
    app.model_record(&id).ok_or_else(|| unknown(&id))?;
    let request = format!("{id}:unload");
    let (slot, new) = app.futures.slot(&request);
    if new {
        match app.models.get(&id) {
            Some(model) => model.after_all(&request, slot, Op::Unload),
            None => {
                let kind = "unload_model".into();
                let gone = ModelCreated { model_id: id.clone(), kind };
                slot.finish(crate::serve::futures::Outcome::Json(value(&gone)));
            }
        }
    }
    promise(request, Some(id))
}

/// Puts an operation in its place among those of its model. One that is not well-formed is answered with
/// a status, and its number counts as come.
pub fn place(app: &Arc<App>, asked: &Request) -> Answer {
    let (id, seq) = (asked.model(), asked.seq());
    let model = match find(app, id)? {
        Ok(model) => model,
        Err(why) => {
            let request = ids::request(id, seq.unwrap_or(-1));
            app.futures.slot(&request).0.finish(failed(&why));
            return promise(request, None);
        }
    };
    match asked.op(app, &model) {
        // It is written to the disk before it is promised, which may take its time.
        Ok(op) => promise(tokio::task::block_in_place(|| model.submit(app, asked, op))?, None),
        Err(e) => {
            if let Some(seq) = seq {
                tokio::task::block_in_place(|| model.pass(app, seq, &e))?;
            }
            Err(e.into())
        }
    }
}

/// A model that is loaded; or why it is not, where it was once.
fn find(app: &App, id: &str) -> Result<Result<Arc<Model>, Error>, Refusal> {
    let record = app.model_record(id).ok_or_else(|| unknown(id))?;
    match (app.models.get(id), app.sessions.standing(record.session())) {
        (_, Standing::Ended) => Err(Refusal::gone(format!("the session of `{id}` has ended"))),
        (Some(model), _) => Ok(Ok(model)),
        (None, _) => Ok(Err(record.gone(app.checkpoints.list(Some(id)).last()))),
    }
}

fn next_model(app: &App, session: &str) -> u64 {
    app.sessions.get(session).map_or(0, |session| session.models.len() as u64)
}

fn check_optimizer(asked: Option<&OptimizerConfig>) -> Result<(), Refusal> {
    match asked {
        Some(asked) if asked.kind != "adamw" => Err(Refusal::wrong(format!(
            "the optimizer `{}` is not known here; hint: leave `optimizer_config` out for AdamW",
            asked.kind
        ))),
        _ => Ok(()),
    }
}

fn unknown(id: &str) -> Refusal {
    Refusal::not_found(format!("there is no model `{id}`"))
}

/// A body as a type.
///
/// # Errors
/// 422 with what does not fit.
pub fn typed<T: DeserializeOwned>(body: Value) -> Result<T, Refusal> {
    serde_json::from_value(body).map_err(|e| Refusal::wrong(e.to_string()))
}

/// The promise of a result.
pub fn promise(request_id: String, model_id: Option<String>) -> Answer {
    ok(&Promise { request_id, model_id, sample_sequence_ids: None })
}

fn value(answer: &impl serde::Serialize) -> Value {
    serde_json::to_value(answer).unwrap_or_default()
}
