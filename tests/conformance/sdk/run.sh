#!/usr/bin/env bash
# The official SDK, unmodified and in several versions, through a whole run against `tinsmith serve`.
#
# usage: run.sh [VERSION…]
#
# IN_FRONT=1: against a server in front of that server, as one stands in front of a service.
# Needs Python 3.11 or newer and a package index. Virtual environments are made once, below
# $SDK_ENVS (default: target/conformance/sdk). TORCH=1 installs torch too, for the one stage that needs it.
# MODEL=FOLDER RATE=5e-4: on a real model, which wants a lower learning rate than the random one.
# SET=serve.retrieve_futures=true gives the server that setting: newer SDKs then ask once for many results.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../../.." && pwd)"
versions=("$@")
[ ${#versions[@]} -gt 0 ] || versions=(0.38.0 0.30.4 0.25.0 0.22.7 0.18.2)
envs="${SDK_ENVS:-$root/target/conformance/sdk}"
work="$(mktemp -d)"
server=""
cleanup() {
    # The one in front tells the one behind that it ends; both write until they have ended.
    for pid in ${front:-} $server; do
        kill "$pid" 2>/dev/null && wait "$pid" || true
    done
    rm -rf "$work"
}
trap cleanup EXIT

find_python() {
    local candidate
    for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "no Python >= 3.11 is found; name one: PYTHON=… $0" >&2
    exit 2
}
python="$(find_python)"

echo "commit $(git -C "$root" rev-parse --short HEAD 2>/dev/null || echo unknown), $("$python" --version)"
. "$here/../server.sh"
tinsmith="$(find_program "$root")"

if [ -n "${MODEL:-}" ]; then
    cp -rL "$MODEL" "$work/tiny-qwen3"
else
    "$python" "$here/make_tiny_qwen3.py" "$work/tiny-qwen3"
fi
serve "$work" "$tinsmith" ${SET:+--set "$SET"} --model "$work/tiny-qwen3" --port 0 --state "$work/state"

front=""
if [ -n "${IN_FRONT:-}" ]; then
    # A folder of that name would be the model; here it is only its tokenizer.
    mkdir "$work/front"
    cat >"$work/front/serve.yaml" <<EOF_CONFIG
model: {base_model: tiny-qwen3, tokenizer: $work/tiny-qwen3}
serve: {port: 0, state: state}
trainer: {name: tinker, base_url: "$url"}
limits: {max_usd: 1000.0, prices: {train_per_million_tokens: 1, prefill_per_million_tokens: 1, sample_per_million_tokens: 1}}
EOF_CONFIG
    behind="$server"
    TINKER_API_KEY=tml-front serve "$work/front" "$tinsmith" "$work/front/serve.yaml"
    front="$server"
    server="$behind"
fi

results=()
for version in "${versions[@]}"; do
    env="$envs/$version"
    if [ ! -f "$env/ready" ]; then
        "$python" -m venv --clear "$env"
        "$env/bin/pip" install --quiet --disable-pip-version-check "tinker==$version"
        [ -z "${TORCH:-}" ] || "$env/bin/pip" install --quiet --disable-pip-version-check torch
        touch "$env/ready"
    fi
    echo
    echo "==== tinker $version"
    # A failure is in the table too; the others are still driven.
    HOME="$work/home" timeout 600 "$env/bin/python" "$here/drive.py" "$url" tiny-qwen3 "$work/$version.json" || true
    [ -f "$work/$version.json" ] || printf '{"sdk":"%s","stages":[{"name":"all","state":"FAIL","why":"no result"}]}' "$version" >"$work/$version.json"
    results+=("$work/$version.json")
done
echo
status=0
"$python" "$here/table.py" "${results[@]}" || status=$?
[ "$status" = 0 ] || tail -n 20 "$work/server.log" >&2
if [ -n "$front" ]; then
    [ "$status" = 0 ] || tail -n 20 "$work/front/server.log" >&2
    tail -n 1 "$work/front/state/usage.jsonl"
    exit "$status"
fi
# Clients of a server that is killed go on.
# Many runs of many steps: for the random model only.
[ -n "${MODEL:-}" ] || HOME="$work/home" timeout 300 "$envs/${versions[0]}/bin/python" "$here/killed.py" "$tinsmith" "$work/tiny-qwen3" "$work/killed" || status=1
exit "$status"
