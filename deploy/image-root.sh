#!/bin/sh
# Lays out the root file system of our image in OUT: the programs of BIN_DIR, the shared
# libraries that they name, and the sample configurations. No shell, no package manager.
#
#   image-root.sh BIN_DIR OUT
set -eu
programs=$1
out=$2
here=$(dirname "$0")

mkdir -p "$out/root/usr/local/bin" "$out/root/etc/s3rec" "$out/state"
# Where deploy/cluster.yml has the folders of workers made, each a volume of its own.
for platform in rating social; do
    for member in coordinator w1 w2 w3; do
        mkdir -p "$out/workers/$platform/$member"
    done
done
for program in s3rec s3rec-rating s3rec-social; do
    cp "$programs/$program" "$out/root/usr/local/bin/"
    # Line tables are for backtraces on a developer's machine and most of the file.
    strip --strip-debug "$out/root/usr/local/bin/$program" 2>/dev/null || true
done
cp "$here"/*.toml "$out/root/etc/s3rec/"

# A statically linked program names none, and then nothing is copied.
library() {
    mkdir -p "$out/root$(dirname "$1")"
    cp -L "$1" "$out/root$1"
}
for program in s3rec s3rec-rating s3rec-social; do
    ldd "$programs/$program" 2>/dev/null || true
done | grep -o '/[^ ]*' | sort -u | while read -r file; do
    library "$file"
    # Before glibc 2.34 names are looked up by libraries that libc loads by itself.
    case "$file" in
        */libc.so.*)
            for lookup in "$(dirname "$file")"/libnss_dns.so.2 "$(dirname "$file")"/libnss_files.so.2 "$(dirname "$file")"/libresolv.so.2; do
                if [ -e "$lookup" ]; then library "$lookup"; fi
            done
            ;;
    esac
done

chmod -R a+rX,go-w "$out/root"
# A tmpfs mounted here takes the mode of what it covers.
mkdir "$out/root/tmp"
chmod 1777 "$out/root/tmp"
