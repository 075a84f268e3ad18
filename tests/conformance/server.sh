# Sourced by the suites that drive a server.

# The program to test: TINSMITH, else a debug build of the repository at $1.
find_program() {
    if [ -n "${TINSMITH:-}" ]; then
        echo "$TINSMITH"
        return
    fi
    cargo build --quiet --manifest-path "$1/Cargo.toml" -p tinsmith
    echo "${CARGO_TARGET_DIR:-$1/target}/debug/tinsmith"
}

# serve FOLDER PROGRAM ARGUMENT…: starts a server whose address and log go to files in the folder, and sets
# `server` (its process) and `url` once it listens.
serve() {
    local folder="$1" program="$2"
    shift 2
    "$program" serve "$@" >"$folder/url" 2>"$folder/server.log" &
    server=$!
    for _ in $(seq 300); do
        [ -s "$folder/url" ] && break
        kill -0 "$server" 2>/dev/null || { cat "$folder/server.log" >&2; exit 1; }
        sleep 0.1
    done
    url="$(head -n 1 "$folder/url")"
}
