//! Opens a model: a fresh adapter, or one from a checkpoint.

use super::TinkerRun;
use crate::{connection::Connection, engine::Engine, http::Call, made, poll, session::Session};
use std::sync::Arc;
use tinsmith_plugin_api::{AdapterSpec, Error, ErrorKind, Lora, OpenRun, Result};
use tinsmith_tinker_wire::{
    messages::{
        CreateModel, LoadWeights, LoraConfig, ModelCreated, TinkerPathRef, WeightsInfo,
        WeightsLoaded,
    },
    path::TinkerPath,
};

/// Opens a model in a session of its own.
pub(crate) fn open(
    connection: &Arc<Connection>,
    engine: &Arc<Engine>,
    from: OpenRun,
) -> Result<TinkerRun> {
    let make = {
        let connection = Arc::clone(connection);
        async move {
            let store = connection.http.services.store().ok();
            let session = Session::create(Arc::clone(&connection), store).await?;
            let (model, next) = match from {
                OpenRun::Base { model, adapter } => {
                    (create(&connection, &session, model, &adapter).await?, 1)
                }
                OpenRun::Saved { uri, optimizer } => {
                    load(&connection, &session, &uri, optimizer).await?
                }
            };
            Ok((session, model, next))
        }
    };
    let (session, model, next) = engine.block(make)?;
    Ok(TinkerRun::start(model, session, Arc::clone(connection), Arc::clone(engine), next))
}

async fn create(
    connection: &Connection,
    session: &Session,
    base_model: String,
    adapter: &AdapterSpec,
) -> Result<String> {
    let AdapterSpec::Lora(lora) = adapter else {
        return Err(Error::unsupported("the Tinker API trains adapters only")
            .with_hint("set `training.mode: lora`"));
    };
    make(connection, session, base_model, lora_config(lora)).await
}

fn lora_config(lora: &Lora) -> LoraConfig {
    LoraConfig {
        rank: lora.rank,
        // The wire has signed numbers.
        seed: Some((lora.seed & (i64::MAX as u64)) as i64),
        train_unembed: lora.train_unembed,
        train_mlp: lora.train_mlp,
        train_attn: lora.train_attn,
    }
}

async fn make(
    connection: &Connection,
    session: &Session,
    base_model: String,
    lora: LoraConfig,
) -> Result<String> {
    let create = CreateModel {
        session_id: session.id.clone(),
        model_seq_id: session.next_model(),
        base_model,
        user_metadata: None,
        lora_config: Some(lora.clone()),
        optimizer_config: None,
    };
    // A second model that nobody uses costs less than a run that does not begin.
    let (made, promised) = connection.promised(&Call::post("create_model", &create)).await?;
    let made: ModelCreated = poll::json(made, "create_model")?;
    let model = Some(made.model_id).filter(|model| !model.is_empty()).or(promised);
    let model = model.ok_or_else(|| {
        Error::new(ErrorKind::NETWORK, "the server does not name the model it made")
    })?;
    made::note(connection, &model, &lora);
    Ok(model)
}

/// A new model from a checkpoint, and the number of its next operation. Servers that cannot make one of
/// a checkpoint make one like it, and load it.
pub(crate) async fn load(
    connection: &Connection,
    session: &Session,
    uri: &str,
    optimizer: bool,
) -> Result<(String, i64)> {
    let load = LoadWeights {
        session_id: Some(session.id.clone()),
        model_seq_id: Some(session.next_model()),
        path: uri.to_owned(),
        optimizer,
        ..LoadWeights::default()
    };
    let by_load = match connection.promised(&Call::post("load_weights", &load)).await {
        Ok((loaded, promised)) => {
            let loaded: WeightsLoaded = poll::json(loaded, "load_weights")?;
            let counted = load.model_seq_id.map(|n| format!("{}:train:{n}", session.id));
            let model = loaded.model_id.or(promised).or(counted).unwrap_or_default();
            return Ok((model, 1));
        }
        Err(e) => e,
    };
    if !matches!(by_load.kind(), ErrorKind::REJECTED | ErrorKind::NOT_FOUND) {
        return Err(by_load);
    }
    let call = Call::post("weights_info", &TinkerPathRef { tinker_path: uri.to_owned() });
    let info: WeightsInfo = match connection.http.json(&call).await {
        Ok(info) => info,
        // It is the checkpoint that is missing, and not the way.
        Err(_) => return Err(by_load.context(format!("load `{uri}`"))),
    };
    // What the server does not say of the adapter was noted when it was made, unless somebody else made it.
    let run = uri.parse::<TinkerPath>().map(|path| path.run).unwrap_or_default();
    let noted = made::noted(connection, &run);
    let said = |said: Option<bool>, noted_as: fn(&LoraConfig) -> bool| {
        said.or(noted.as_ref().map(noted_as)).unwrap_or(true)
    };
    let lora = LoraConfig {
        rank: info.lora_rank.or(noted.as_ref().map(|lora| lora.rank)).unwrap_or(32),
        seed: None,
        train_unembed: said(info.train_unembed, |lora| lora.train_unembed),
        train_mlp: said(info.train_mlp, |lora| lora.train_mlp),
        train_attn: said(info.train_attn, |lora| lora.train_attn),
    };
    let model = make(connection, session, info.base_model, lora).await?;
    let load = LoadWeights {
        model_id: Some(model.clone()),
        seq_id: Some(1),
        path: uri.to_owned(),
        optimizer,
        ..LoadWeights::default()
    };
    connection.promised(&Call::post("load_weights", &load)).await?;
    Ok((model, 2))
}
