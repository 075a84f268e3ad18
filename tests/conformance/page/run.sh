#!/usr/bin/env bash
# Takes pictures of `render --format html` in headless Chromium: of the quickstart's data, and of a
# file with everything that can go wrong on a page. Look at them: no program can say that a page is
# readable. What can be said is checked here: that the script drew the examples, that search, filters,
# places and keys do what they say, and that nothing of the data ran.
#
#   tests/conformance/page/run.sh [OUT]          (default: .cache/page)
#
# Needs python3 and a Chromium (CHROMIUM names it, else the first found of the usual names).
set -euo pipefail
cd "$(dirname "$0")/../../.."

out=${1:-.cache/page}
chromium=${CHROMIUM:-}
for name in chromium chromium-browser google-chrome; do
    [ -n "$chromium" ] || chromium=$(command -v "$name" || true)
done
[ -n "$chromium" ] || { echo "no Chromium found; name one with CHROMIUM=…" >&2; exit 2; }
tinsmith=${TINSMITH:-}
if [ -z "$tinsmith" ]; then
    nice cargo build --quiet --release
    tinsmith=${CARGO_TARGET_DIR:-target}/release/tinsmith
fi
mkdir -p "$out"
profile=$(mktemp -d)
trap 'rm -rf "$profile"' EXIT

browser() {
    "$chromium" --headless --no-sandbox --disable-gpu --hide-scrollbars \
        --user-data-dir="$profile" --virtual-time-budget=5000 "$@" 2>"$profile/log"
}

# page NAME ARGUMENTS…: a page; refused rows (exit code 3) are part of some.
page() {
    local name=$1
    shift
    local code=0
    "$tinsmith" render "$@" --format html >"$out/$name.html" 2>"$out/$name.log" || code=$?
    [ "$code" = 0 ] || [ "$code" = 3 ] || { cat "$out/$name.log" >&2; exit 1; }
}

# picture NAME FILE[#PLACE] WIDTH,HEIGHT [FLAGS…]
picture() {
    local name=$1 file=$2 size=$3
    shift 3
    browser --window-size="$size" --screenshot="$out/$name.png" "$@" \
        "file://$(realpath "$out")/$file"
    echo "$out/$name.png"
}

# drawn NAME: what the page is after its script ran.
drawn() {
    browser --dump-dom "file://$(realpath "$out")/$1.html" >"$out/$1.dom"
    grep -q '<section class="ex' "$out/$1.dom" || { echo "FAILED: $1 drew no example" >&2; exit 1; }
    if grep -q 'id="attacked"' "$out/$1.dom"; then
        echo "FAILED: text of the data ran on $1" >&2
        exit 1
    fi
}

python3 "$(dirname "$0")/adversarial.py" >"$out/adversarial.jsonl"
config=(--config configs/quickstart.yaml)
page quickstart configs/quickstart/train.jsonl "${config[@]}"
page cut configs/quickstart/train.jsonl "${config[@]}" --max-length 90 --set data.overlong=truncate_right
page adversarial "$out/adversarial.jsonl" "${config[@]}" --renderer chatml \
    --set data.overlong=drop_turns --max-length 1000
page token configs/quickstart/train.jsonl "${config[@]}" --limit 1
for name in quickstart cut adversarial; do drawn "$name"; done

# The page as a reader uses it: search, filters, places, keys.
here=$(dirname "$0")
sed -e 's/<meta http-equiv="Content-Security-Policy"[^>]*>//' -e '/^<\/body>/d' -e '/^<\/html>/d' \
    "$out/adversarial.html" >"$out/drive.html"
{ echo '<script>'; cat "$here/drive.js"; echo '</script></body></html>'; } >>"$out/drive.html"
browser --dump-dom "file://$(realpath "$out")/drive.html" |
    sed -e '1,/<pre id="result">/d' -e '/^<\/pre>/,$d' -e 's/&lt;/</g; s/&gt;/>/g' >"$out/drive.txt"
diff "$here/drive.expected" "$out/drive.txt" || { echo "FAILED: the page behaves otherwise" >&2; exit 1; }

picture quickstart quickstart.html 1200,1500
picture quickstart-dark quickstart.html 1200,1500 --blink-settings=preferredColorScheme=0
picture quickstart-narrow quickstart.html 500,1500
# No taller than the window: pictures of a page that was scrolled are blank.
picture token 'token.html#L1.31' 1200,1500
picture cut cut.html 1200,1500
picture adversarial adversarial.html 1200,4200
picture adversarial-dark adversarial.html 1200,4200 --blink-settings=preferredColorScheme=0
