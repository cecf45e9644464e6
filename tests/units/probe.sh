#!/bin/sh
# Runs inside the container that test_units.py boots: starts the real units and prints what came of it.
# Each line that is judged begins with a word and a colon.
root=$1 python=$2
mkdir -p /opt/steadyline/venv/bin /etc/steadyline
printf '#!/bin/sh\ncd %s && exec %s -m gateway "$@"\n' "$root" "$python" >/opt/steadyline/venv/bin/gateway
printf '#!/bin/sh\ncd %s && exec %s "$@"\n' "$root" "$python" >/opt/steadyline/venv/bin/python
chmod 755 /opt/steadyline/venv/bin/*
cp "$root/systemd/nginx.conf" /opt/steadyline/nginx.conf
cp -r "$root/webui/static" /opt/steadyline/static
cp "$root/tests/units/settings.toml" /etc/steadyline/settings.toml
systemd-sysusers "$root/systemd/sysusers.conf"
chown steadyline:steadyline /etc/steadyline /etc/steadyline/settings.toml
systemd-tmpfiles --create "$root/systemd/tmpfiles.conf"
sysctl -q -p "$root/systemd/sysctl.conf"

# The world: four channels that end at one far side. By the first it answers OPTIONS alone, by the second (DHCP)
# STUN alone, by the third ping alone; the fourth one's address is another host's.
ip netns add far
far() { nsenter --net=/run/netns/far "$@"; }
for n in 0 1 2 3; do
	ip link add wan$n type veth peer name far$n netns far
	far ip link set far$n up
done
ip link add lan0 type bridge
ip link set lan0 up
far ip link set lo up
far ip addr add 203.0.113.1/30 dev far0
far ip addr add 192.168.20.1/24 dev far1
far ip addr add 10.9.2.1/24 dev far2
far ip addr add 10.9.3.2/24 dev far3
for address in 192.0.2.1 192.0.2.53 192.0.2.98 192.0.2.99 198.51.100.10; do far ip addr add $address/32 dev lo; done
far nft 'table ip f { chain i { type filter hook input priority 0; iifname != far2 icmp type echo-request drop; }; }'
far dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --no-ping --user=root \
	--local=/provider.test/ --host-record=sip.provider.test,198.51.100.10 \
	--dhcp-range=192.168.20.20,192.168.20.20,2m --dhcp-leasefile=/run/leases --pid-file=/run/dnsmasq.pid \
	>/dev/null 2>&1 &
(cd "$root" && far "$python" -m tests.units.far 198.51.100.10 203.0.113.2 192.168.20.20 192.0.2.98 192.0.2.99) &

cp "$root"/systemd/gateway*.service "$root"/systemd/gateway*.socket /etc/systemd/system/
systemctl daemon-reload
ctl() { (cd "$root" && "$python" -m gateway ctl "$@"); }
await() {
	for _ in $(seq 16); do
		ctl status --json 2>/dev/null | grep -q "$1" && return
		sleep 0.25
	done
}
running='"calls_process": "running"'
# What the daemon saw of each channel: state, its address, and what the far side says it is.
channels() {
	ctl status --json | "$python" -c '
import json, sys
for u in json.load(sys.stdin)["uplinks"]:
    print(u["name"], u["state"], u["address"] or "-", u["observed_address"] or "-", end="; ")'
}

systemctl start gateway-guard
echo "guard: $(systemctl is-active gateway-guard) $(nft list tables | tr '\n' ' ')"
echo "mode: $(stat -c '%a %U %G' /etc/steadyline/settings.toml)"
ping="systemd-run -q --wait -p IPAddressDeny=any"
$ping -p IPAddressAllow=127.0.0.0/8 ping -c 1 -W 1 127.0.0.1 >/dev/null 2>&1 && ! $ping ping -c 1 -W 1 127.0.0.1 >/dev/null 2>&1
echo "filter: $?"
systemctl start gateway-calls gateway
echo "started: $(systemctl is-active gateway gateway-calls | tr '\n' ' ')"
echo "sentence: $(systemctl show -P StatusText gateway)"
for role in ctl calls web packets; do
	echo "socket: $role $(stat -c '%a %U %G' /run/steadyline/$role.sock)"
done
await "$running"
echo "calls: $(ctl status | grep '^Calls process')"
await '"observed_address": "203.0.113.2"'
await '"observed_address": "192.168.20.20"'
await '"state": "conflict"'
echo "channels: $(channels)"
daemon=$(systemctl show -P MainPID gateway)
lender=$(systemctl show -P MainPID gateway-packets)
echo "lender: $(systemctl is-active gateway-packets) $(grep CapEff /proc/"$lender"/status | tr '\t' ' ')"
echo "borrowed: $(ss -0 -n -p | grep -c "pid=$daemon,")"
echo "forwarding: $(journalctl --no-pager -o cat -u gateway | grep -c 'forwarding is off')"
echo "rules: $(ip rule | grep -c 'proto 201')"
hostname box
ip addr add 192.168.50.1/24 dev lan0
systemctl start gateway-web gateway-front
for _ in $(seq 40); do [ -S /run/steadyline-web/page.sock ] && ss -ltn | grep -q ':443 ' && break; sleep 0.25; done
echo "page: $(systemctl is-active gateway-web gateway-front | tr '\n' ' ')"
fetch() { curl -s -m 5 -o /dev/null "$@"; }
insist="--insecure --resolve box.local:443:192.168.50.1 --resolve box.local:80:192.168.50.1"
echo "https: $(fetch $insist -w '%{http_code} %{http_version} %{redirect_url}' https://box.local/ | sed 's,https://box.local,,')"
echo "https: $(fetch $insist -w '%{http_code} %{http_version} %{content_type}' https://box.local/static/steadyline.css)"
echo "https: $(fetch $insist -H 'Host: evil.example' -w '%{http_code} %{http_version}' https://192.168.50.1/)"
echo "http: $(fetch $insist -w '%{http_code} %{redirect_url}' http://box.local/x)"
curl -s -m 5 -o /run/authority.crt http://192.168.50.1/authority.crt
fetch --cacert /run/authority.crt --resolve box.local:443:192.168.50.1 https://box.local/login &&
	fetch --cacert /run/authority.crt https://192.168.50.1/login
code=$?; echo "trusted: $code"; [ $code = 0 ] || { openssl x509 -in /var/lib/steadyline-front/page.crt -noout -ext subjectAltName; curl -sS -m 5 -o /dev/null --cacert /run/authority.crt --resolve box.local:443:192.168.50.1 https://box.local/login; hostname; ls -l /run/authority.crt; } 2>&1
echo "keys: $(stat -c '%a %U' /var/lib/steadyline-front/page.key /var/lib/steadyline-front/authority.key | tr '\n' ' ')"
echo "front: $(grep CapEff /proc/"$(systemctl show -P MainPID gateway-front)"/status | tr '\t' ' ')"
echo "front: $(setpriv --reuid steadyline-front --regid steadyline-front --clear-groups "$python" -c '
import socket
try: socket.socket(socket.AF_UNIX).connect("/run/steadyline/web.sock"); print("let in")
except OSError as error: print(error.strerror)')"
echo "dropped: $(grep -E 'CapEff' /proc/"$(systemctl show -P MainPID gateway-calls)"/status | tr '\t' ' ')"
calls=$(systemctl show -P MainPID gateway-calls)
kill -9 "$daemon"
sleep 1
await "$running"
echo "again: $(systemctl is-active gateway) $(ctl status | grep '^Calls process')"
echo "untouched: $([ "$calls" = "$(systemctl show -P MainPID gateway-calls)" ] && echo yes || echo no)"
kill -9 "$calls"
sleep 0.5
await "$running"
echo "back: $(systemctl is-active gateway-calls) $(ctl status | grep '^Calls process')"
sysctl -q net.ipv4.ip_forward=0
systemctl restart gateway
await "$running"
echo "warned: $(systemctl is-active gateway) $(journalctl --no-pager -o cat -u gateway | grep -c 'forwarding is off')"
# A factory reset under the unit's own limits: sealed by the sealer, wiped, restored by the next start.
await 'on the same disk'
echo "sealed: $(stat -c '%n %a %U' /var/lib/steadyline-vault/slot-a /var/lib/steadyline-key/vault.key | tr '\n' ' ')"
setpriv --reuid=steadyline-calls --regid=steadyline-calls --clear-groups sh -c 'umask 007; echo x >/var/lib/steadyline-calls/recordings/8888.wav'
ctl reset --yes >/dev/null
await '"origin": "vault"'
echo "restored: $(ctl status --json | "$python" -c 'import json, sys; print(json.load(sys.stdin)["settings"]["restored"])')"
cmp -s "$root/tests/units/settings.toml" /etc/steadyline/settings.toml
echo "same: $? $(stat -c '%a %U' /etc/steadyline/settings.toml) $(ls /var/lib/steadyline-calls/recordings | wc -l)"
systemctl stop gateway
echo "left: $(nft list tables | tr '\n' ' ')$(ip rule | grep -c 'proto 201')"
echo "verdict: $(journalctl --no-pager -o json LOGGER=gateway.hub LAMP=setup | head -1 | "$python" -c '
import json, sys
entry = json.loads(sys.stdin.readline())
print(entry["PRIORITY"], entry["SYSLOG_IDENTIFIER"], entry["CODE_FUNC"], entry["MESSAGE"])')"
echo "panel: $(journalctl --no-pager -o cat SYSLOG_IDENTIFIER=gateway-daemon KIND=system | sort | uniq -c | tr -s ' ')"
echo "journal: $(journalctl --no-pager -o cat SYSLOG_IDENTIFIER=gateway-daemon KIND=process | head -1)"
journalctl --no-pager -o short-monotonic | grep -E 'gateway' | tail -60
echo "end: of the probe"
