#!/bin/sh
# target-dir.sh: make, make install and make demo where cargo builds in another folder: because CARGO_TARGET_DIR says so, or
# cargo's configuration. What cargo would build is copied there, to where cargo itself says that it builds.
set -eu
name=target-dir
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/debian/lib.sh
. "$root/tests/debian/lib.sh"
work_folder
mkdir "$work/tree"
git ls-files -z | xargs -0 cp --parents -t "$work/tree"
cd "$work/tree"
cat >"$work/cargo" <<END
#!/bin/sh
set -eu
case \$1 in --version | metadata) exec '$(command -v "${CARGO:-cargo}")' "\$@" ;; esac
[ "\$1 \$2" = 'build --release' ]
folder=\$('$work/cargo' metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
mkdir -p "\$folder/release/examples"
cp '$program' "\$folder/release/"
cp '$stand_ins/focus-stand-in' '$stand_ins/listener' "\$folder/release/examples/"
END
chmod +x "$work/cargo"
mkdir "$work/home"
printf '[build]\ntarget-dir = "%s"\n' "$work/by-configuration" >"$work/home/config.toml"

for how in variable configuration; do
    elsewhere=$work/by-$how
    quietly() {
        case $how in
        variable) env CARGO_TARGET_DIR="$elsewhere" make -s CARGO="$work/cargo" "$@" ;;
        configuration) env -u CARGO_TARGET_DIR CARGO_HOME="$work/home" make -s CARGO="$work/cargo" "$@" ;;
        esac >"$work/said" 2>&1 || fail "by $how: make $*: $(cat "$work/said")"
    }
    quietly
    for file in release/iio-focus overlays/iio-focus-dht22.dtbo man/iio-focus.1 man/iio-focus.toml.5; do
        [ -e "$elsewhere/$file" ] || fail "by $how: make did not build $file there"
    done
    quietly demo
    [ "$(grep -c ' delivered=1 ' "$work/said")" = 3 ] || fail "by $how: make demo: $(cat "$work/said")"
    # Root has neither the variable nor the configuration, and asks no cargo.
    echo by-$how >"$elsewhere/man/iio-focus.1"
    env -u CARGO_TARGET_DIR make -s CARGO=false DESTDIR="$work/root-$how" install >"$work/said" 2>&1 ||
        fail "by $how: make install: $(cat "$work/said")"
    [ "$(cat "$work/root-$how/usr/local/share/man/man1/iio-focus.1")" = by-$how ] || fail "by $how: make install took others"
    echo "target-dir: by $how: make, make demo and make install"
done
