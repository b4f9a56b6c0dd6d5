#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Makes this host the controller of a domain of Active Directory, with what is in the file of LDIF.
#   provision.sh ADDRESS FILE
set -eu
export DEBIAN_FRONTEND=noninteractive
private=/var/lib/samba/private
apt-get update -qq
# they start on installation, and not as what is wanted here
systemctl --quiet mask smbd nmbd winbind samba-ad-dc
apt-get install -qq -y --no-install-recommends samba samba-ad-provision samba-dsdb-modules samba-vfs-modules winbind \
  python3-samba ldb-tools openssl
rm -f /etc/samba/smb.conf
samba-tool domain provision --server-role=dc --dns-backend=NONE --realm=CUSTOMER.INTERNAL --domain=CUSTOMER \
  --host-name=dc1 --host-ip="$1" --adminpass="$(openssl rand -base64 24)-Aa1"
sed -i "/\[global\]/a interfaces = lo $1\nbind interfaces only = yes" /etc/samba/smb.conf
mkdir -p "$private/tls"
cd "$private/tls"
openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=dc1.customer.internal -keyout key.pem -out cert.pem \
  -addext "subjectAltName=DNS:dc1.customer.internal,IP:$1"
cp cert.pem ca.pem
chmod 0600 key.pem
ldbadd -H "$private/sam.ldb" "$2"
samba-tool user setpassword bocage --newpassword="$(cat /root/reader.password)"
samba-tool user enable bocage
systemctl --quiet unmask samba-ad-dc
systemctl --quiet enable --now samba-ad-dc
touch /root/domain-made
