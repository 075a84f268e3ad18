//! Training runs, which are models, and what a checkpoint holds.

use super::{
    Shared,
    body::Json,
    reply::{Answer, Refusal, ok},
    sessions::Page,
};
use crate::serve::{app::App, models::ModelRecord};
use axum::extract::{Path, Query, State};
use tinsmith_tinker_wire::{
    messages::{Cursor, TinkerPathRef, TrainingRun, TrainingRuns, WeightsInfo},
    path::Kind,
};

/// Whose everything is: a server knows no users.
pub const OWNER: &str = "tinsmith";

/// `GET /training_runs`, newest first.
pub async fn list(State(app): Shared, Query(page): Query<Page>) -> Answer {
    let mut all: Vec<ModelRecord> =
        app.sessions.list().into_iter().flat_map(|session| session.models).collect();
    all.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| b.id.cmp(&a.id)));
    let total_count = all.len() as u64;
    let part = page.of(all, 20);
    let cursor = Cursor { offset: page.offset, limit: page.limit.unwrap_or(20), total_count };
    let training_runs = part.iter().map(|model| view(&app, model)).collect();
    ok(&TrainingRuns { training_runs, cursor })
}

/// `GET /training_runs/RUN`.
pub async fn get(State(app): Shared, Path(run): Path<String>) -> Answer {
    let model = app.model_record(&run);
    let model =
        model.ok_or_else(|| Refusal::not_found(format!("there is no training run `{run}`")))?;
    ok(&view(&app, &model))
}

fn view(app: &App, model: &ModelRecord) -> TrainingRun {
    let last = |kind| app.checkpoints.last(&model.id, kind).map(|record| record.view());
    TrainingRun {
        training_run_id: model.id.clone(),
        base_model: model.base.clone(),
        model_owner: OWNER.into(),
        is_lora: true,
        corrupted: model.corrupted,
        lora_rank: Some(model.lora.rank),
        last_request_time: model.last_request.clone(),
        last_checkpoint: last(Kind::Training),
        last_sampler_checkpoint: last(Kind::Sampler),
        user_metadata: model.user_metadata.clone(),
    }
}

/// `POST /weights_info`.
pub async fn weights_info(State(app): Shared, Json(asked): Json<TinkerPathRef>) -> Answer {
    let saved = app.checkpoints.at(&asked.tinker_path)?;
    ok(&WeightsInfo {
        base_model: saved.base,
        is_lora: true,
        lora_rank: Some(saved.lora.rank),
        train_unembed: Some(saved.lora.train_unembed),
        train_mlp: Some(saved.lora.train_mlp),
        train_attn: Some(saved.lora.train_attn),
        public: saved.public,
    })
}
