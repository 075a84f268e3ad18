/*!
The Tinker API over HTTP: one file for each group of paths.

An operation that fails is answered with status 200 and what went wrong, when its result is asked for:
clients retry other statuses, some of them for ever. A request that makes no sense gets a status of its
own, and a body `{"detail": …}`.
*/

mod billing;
mod body;
mod chat;
mod checkpoints;
mod client;
mod copy;
mod files;
mod futures;
mod guard;
mod models;
mod range;
mod reply;
mod runs;
mod sample;
mod sampling;
mod sessions;
mod train;

use super::app::App;
use axum::{
    Router,
    extract::{DefaultBodyLimit, State},
    middleware,
    routing::{get, post, put},
};
use std::sync::Arc;
use tinsmith_tinker_wire::API;

/// What every handler is given.
type Shared = State<Arc<App>>;

/// All paths.
pub fn router(app: &Arc<App>) -> Router {
    let api = Router::new()
        .route("/healthz", get(client::health))
        .route("/client/config", post(client::config))
        .route("/client/dynamic_config", post(client::dynamic_config))
        .route("/telemetry", post(client::telemetry))
        .route("/get_server_capabilities", get(client::capabilities))
        .route("/create_session", post(sessions::create))
        .route("/session_heartbeat", post(sessions::heartbeat))
        .route("/sessions", get(sessions::list))
        .route("/sessions/search", post(sessions::search))
        .route("/sessions/{id}", get(sessions::get))
        .route("/sessions/{id}/finish", post(sessions::finish))
        .route("/sessions/{id}/project", put(sessions::project))
        .route("/create_model", post(models::create))
        .route("/get_info", post(models::info))
        .route("/load_weights", post(models::load))
        .route("/unload_model", post(models::unload))
        .route("/forward_backward", post(train::forward_backward))
        .route("/forward", post(train::forward))
        .route("/optim_step", post(train::optim_step))
        .route("/retrieve_future", post(futures::retrieve))
        .route("/retrieve_futures", post(futures::retrieve_many))
        .route("/cancel_future", post(futures::cancel))
        .route("/save_weights", post(train::save_weights))
        .route("/save_weights_for_sampler", post(train::save_for_sampler))
        .route("/save_weights_external", post(train::save_external))
        .route("/copy_weights", post(copy::copy))
        .route("/create_sampling_session", post(sampling::create))
        .route("/join_sampling_session", post(sampling::join))
        .route("/samplers/{id}", get(sampling::get))
        .route("/asample", post(sample::sample))
        .route("/training_runs", get(runs::list))
        .route("/training_runs/{run}", get(runs::get))
        .route("/training_runs/{run}/checkpoints", get(checkpoints::of_run))
        .route(
            "/training_runs/{run}/checkpoints/{*rest}",
            get(checkpoints::fetch)
                .delete(checkpoints::delete)
                .post(checkpoints::publish)
                .put(checkpoints::ttl),
        )
        .route("/checkpoints", get(checkpoints::list))
        .route("/weights_info", post(runs::weights_info))
        .route("/billing/usage/events", get(billing::events))
        .route("/billing/usage/checkpoints/current", get(billing::checkpoints))
        .layer(middleware::from_fn_with_state(Arc::clone(app), guard::check_key));
    let talk = || {
        Router::new()
            .route("/models", get(chat::models))
            .route("/chat/completions", post(chat::complete))
    };
    let others = Router::new()
        .nest("/v1", talk())
        .nest("/oai/api/v1", talk())
        .route("/metrics", get(client::metrics))
        .layer(middleware::from_fn_with_state(Arc::clone(app), guard::check_key));
    // Signed: whoever has the address may fetch.
    let signed = Router::new().route("/files/{checkpoint}/{*name}", get(files::get));
    Router::new()
        .nest(API, api.merge(signed))
        .merge(others)
        .route("/healthz", get(client::health))
        .fallback(client::not_found)
        .layer(middleware::from_fn_with_state(Arc::clone(app), guard::check_origin))
        .layer(DefaultBodyLimit::max(app.settings.max_body))
        .with_state(Arc::clone(app))
}
