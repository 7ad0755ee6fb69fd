#!/usr/bin/env bash
# Builds what a release ships, into OUT (out/release unless given), each with its digest in SHA256SUMS:
#
#   s3rec-VERSION-TARGET.tar.gz   the three programs, completions, man pages, sample configurations, licences
#   s3rec_VERSION_ARCH.deb        the same for Debian with hardened units, where dpkg-deb is installed
#   s3rec-VERSION-…whl            the Python package, where maturin is installed
#   s3rec-VERSION.cdx.json        what the programs are made of (CycloneDX 1.5)
#
#   deploy/release.sh [--target TARGET] [--programs DIR] [OUT]
#
# Unless said otherwise the programs are static (x86_64-unknown-linux-musl) where rustup has that target and a
# C compiler for it is installed (Debian: musl-tools), and else this machine's own. --programs takes programs
# built before, for this machine's own target.
set -euo pipefail
cd "$(dirname "$0")/.."

target= programs= out=out/release
while [ $# -gt 0 ]; do
    case "$1" in
        --target) target=$2; shift 2 ;;
        --programs) programs=$2; shift 2 ;;
        -*) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
        *) out=$1; shift ;;
    esac
done
own=$(rustc -vV | sed -n 's/^host: //p')
static=x86_64-unknown-linux-musl
if [ -z "$target" ]; then
    target=$own
    if [ -z "$programs" ] && [ "$own" = x86_64-unknown-linux-gnu ] && command -v musl-gcc >/dev/null \
        && rustup target list --installed 2>/dev/null | grep -qx "$static"; then
        target=$static
    fi
fi
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
mkdir -p "$out"
out=$(realpath "$out")
# The same sources give the same archive.
when="@$(git log -1 --format=%ct 2>/dev/null || echo 0)"

if [ -z "$programs" ]; then
    cargo build --release --locked --target "$target" --bin s3rec --bin s3rec-rating --bin s3rec-social
    programs=${CARGO_TARGET_DIR:-target}/$target/release
fi

name=s3rec-$version-$target
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/$name
mkdir -p "$root"/{bin,man,completions,samples}
for program in s3rec s3rec-rating s3rec-social; do
    install -m 755 "$programs/$program" "$root/bin/"
    strip --strip-debug "$root/bin/$program"
done
"$root/bin/s3rec" man "$root/man" >/dev/null
for shell in bash zsh fish; do
    "$root/bin/s3rec" completions "$shell" >"$root/completions/s3rec.$shell"
done
cp deploy/*.toml "$root/samples/"
cp README.md CHANGELOG.md SECURITY.md LICENSE-APACHE LICENSE-MIT "$root/"
cargo xtask sbom >"$out/s3rec-$version.cdx.json"
tar --directory "$work" --sort=name --mtime="$when" --owner=0 --group=0 --numeric-owner \
    -cf - "$name" | gzip -n9 >"$out/$name.tar.gz"

if command -v dpkg-deb >/dev/null; then
    deploy/debian/build.sh "$root" "$version" "$out"
else
    echo "NOT made: the Debian package, for want of dpkg-deb" >&2
fi
if command -v maturin >/dev/null; then
    (cd deploy/python && maturin build --release --out "$out")
else
    echo "NOT made: the wheel, for want of maturin (pip install maturin)" >&2
fi
(cd "$out" && sha256sum -- *"$version"* >SHA256SUMS && cat SHA256SUMS)
