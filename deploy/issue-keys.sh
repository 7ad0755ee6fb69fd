#!/bin/sh
# One-shot for demonstrations: one authority for both, and each platform's share of the keys in
# a volume of its own. Two real platforms bring their own authorities instead.
set -eu

if [ -f /rating/peer.pin ] && [ -f /social/peer.pin ]; then
    exit 0
fi
umask 077
work=$(mktemp -d)
s3rec pki --out "$work/keys" --host rating --host social
for platform in rating social; do
    for identity in "$platform" "$platform-operator"; do
        cp "$work/keys/$identity.pem" "$work/keys/$identity.key" "/$platform/"
    done
    cp "$work/keys/ca.pem" "/$platform/"
done
cp "$work/keys/social.pin" /rating/peer.pin
cp "$work/keys/rating.pin" /social/peer.pin
# The authority's key is not kept: nobody can issue a further identity.
rm -r "$work"
