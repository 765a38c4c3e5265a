#!/bin/sh
# Lay out in the new folder $1 what stands in for the official Python image: Debian's own Python
# of release $2, from the archive $3, at the places where that image has its Python and pip.
# Needs root, mmdebstrap and python3.
set -eu

root=$1

# "extract" only unpacks. The official image has no byte code of the standard library either.
mmdebstrap --quiet --mode=root --format=directory --variant=extract \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --include=base-files,coreutils,dash,python3-pip-whl,python3-venv \
    "$2" "$root" "deb $3 $2 main"

python=$(basename "$root"/usr/lib/python3.*)
mkdir -p "$root/usr/local/bin" "$root/usr/local/lib"
mv "$root/usr/lib/$python" "$root/usr/local/lib/$python"
mv "$root/usr/bin/$python" "$root/usr/local/bin/$python"
ln -sf "$python" "$root/usr/local/bin/python3"
ln -sf "$python" "$root/usr/local/bin/python"
rm -f "$root"/usr/bin/python3*

# pip lies there as a wheel, from which ensurepip would install it.
site="$root/usr/local/lib/$python/site-packages"
mkdir "$site"
for wheel in "$root"/usr/share/python-wheels/pip-*.whl; do
    python3 -m zipfile -e "$wheel" "$site"
done
rm -rf "$root/usr/share/python-wheels"
ln -s site-packages "$root/usr/local/lib/$python/dist-packages" # where Debian's Python looks
rm -f "$root/usr/local/lib/$python/EXTERNALLY-MANAGED"
printf '#!/bin/sh\nexec python -m pip "$@"\n' >"$root/usr/local/bin/pip"
chmod 755 "$root/usr/local/bin/pip"
