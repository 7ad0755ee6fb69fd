#!/bin/sh
# Builds our image where no registry can be reached: the programs are built here, with the
# machine's own Rust, and put into an empty image with the shared libraries that they need.
#
#   deploy/build-image.sh [--programs DIR] [TAG]
#
# TAG is s3rec:local unless given. --programs takes s3rec, s3rec-rating and s3rec-social, built
# before, from DIR.
set -eu
cd "$(dirname "$0")/.."

tag=s3rec:local
programs=
while [ $# -gt 0 ]; do
    case "$1" in
        --programs) programs=$2; shift 2 ;;
        -*) echo "usage: deploy/build-image.sh [--programs DIR] [TAG]" >&2; exit 2 ;;
        *) tag=$1; shift ;;
    esac
done
if [ -z "$programs" ]; then
    cargo build --release --locked --bin s3rec --bin s3rec-rating --bin s3rec-social
    programs=${CARGO_TARGET_DIR:-target}/release
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
deploy/image-root.sh "$programs" "$work/image"
# The last stage of the one Dockerfile, on what has been built here instead of its first stage.
sed -n '/^FROM scratch/,$p' deploy/Dockerfile \
    | sed 's|COPY --from=build |COPY |; s| /image/| image/|' >"$work/Dockerfile"
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
docker build --quiet --tag "$tag" \
    --build-arg VERSION="$version" --build-arg REVISION="$revision" \
    --build-arg CREATED="$(date -u +%Y-%m-%dT%H:%M:%SZ)" \
    "$work" >/dev/null
docker image inspect --format '{{index .RepoTags 0}}: {{.Size}} bytes' "$tag"
