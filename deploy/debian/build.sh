#!/bin/sh
# Packs what deploy/release.sh has laid out in ROOT as s3rec_VERSION_ARCH.deb in OUT.
#
#   deploy/debian/build.sh ROOT VERSION OUT
set -eu
root=$1 version=$2 out=$3
here=$(dirname "$0")
architecture=$(dpkg --print-architecture)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
package=$work/package
put() { install -D -m "$1" "$2" "$package/$3"; }

for program in "$root"/bin/*; do put 755 "$program" "usr/bin/$(basename "$program")"; done
for page in "$root"/man/*.1; do
    put 644 "$page" "usr/share/man/man1/$(basename "$page")"
done
gzip -n9 "$package"/usr/share/man/man1/*.1
put 644 "$root/completions/s3rec.bash" usr/share/bash-completion/completions/s3rec
put 644 "$root/completions/s3rec.zsh" usr/share/zsh/vendor-completions/_s3rec
put 644 "$root/completions/s3rec.fish" usr/share/fish/vendor_completions.d/s3rec.fish
for sample in "$root"/samples/*; do put 644 "$sample" "usr/share/doc/s3rec/samples/$(basename "$sample")"; done
for page in README.md CHANGELOG.md SECURITY.md; do put 644 "$root/$page" "usr/share/doc/s3rec/$page"; done
cat "$root/LICENSE-MIT" "$root/LICENSE-APACHE" >"$work/copyright"
put 644 "$work/copyright" usr/share/doc/s3rec/copyright
for unit in s3rec-rating s3rec-social; do put 644 "$here/$unit.service" "lib/systemd/system/$unit.service"; done
put 644 "$here/sysusers.conf" usr/lib/sysusers.d/s3rec.conf
put 755 "$here/postinst" DEBIAN/postinst
put 755 "$here/prerm" DEBIAN/prerm

# A static program needs nothing; another one the C library that it was linked with.
needs=$(objdump -T "$root"/bin/* 2>/dev/null | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -1 | cut -d_ -f2)
depends=
[ -z "$needs" ] || depends="Depends: libc6 (>= $needs), libgcc-s1"
size=$(du -sk "$package" | cut -f1)
sed -e "s/@VERSION@/$version/; s/@ARCHITECTURE@/$architecture/; s/@SIZE@/$size/" \
    -e "s/^@DEPENDS@$/$depends/; /^$/d" "$here/control.in" >"$package/DEBIAN/control"
dpkg-deb --build --root-owner-group "$package" "$out/s3rec_${version}_$architecture.deb"
