#!/bin/sh
# Runs inside the container that test_units.py boots: starts the real units and prints what came of it.
# Each line that is judged begins with a word and a colon.
root=$1 python=$2
mkdir -p /opt/steadyline/venv/bin /etc/steadyline
printf '#!/bin/sh\ncd %s && exec %s -m gateway "$@"\n' "$root" "$python" >/opt/steadyline/venv/bin/gateway
chmod 755 /opt/steadyline/venv/bin/gateway
cp "$root/tests/example.toml" /etc/steadyline/settings.toml
systemd-sysusers "$root/systemd/sysusers.conf"
systemd-tmpfiles --create "$root/systemd/tmpfiles.conf"
sysctl -q -p "$root/systemd/sysctl.conf"
ip link add wan0 type veth peer name far0
ip link add wan1 type veth peer name far1
ip link set far0 up
ip link set far1 up
cp "$root"/systemd/gateway*.service /etc/systemd/system/
systemctl daemon-reload
ctl() { (cd "$root" && "$python" -m gateway ctl "$@"); }
await_calls() {
	for _ in $(seq 40); do
		ctl status --json 2>/dev/null | grep -q '"calls_process": "running"' && return
		sleep 0.25
	done
}

systemctl start gateway-guard
echo "guard: $(systemctl is-active gateway-guard) $(nft list tables | tr '\n' ' ')"
echo "mode: $(stat -c '%a %U %G' /etc/steadyline/settings.toml)"
systemctl start gateway-calls gateway
echo "started: $(systemctl is-active gateway gateway-calls | tr '\n' ' ')"
echo "sentence: $(systemctl show -P StatusText gateway)"
for role in ctl calls web; do
	echo "socket: $role $(stat -c '%a %U %G' /run/steadyline/$role.sock)"
done
await_calls
echo "calls: $(ctl status | sed -n 2p)"
echo "rules: $(ip rule | grep -c 'proto 201')"
echo "dropped: $(grep -E 'CapEff' /proc/"$(systemctl show -P MainPID gateway-calls)"/status | tr '\t' ' ')"
calls=$(systemctl show -P MainPID gateway-calls)
kill -9 "$(systemctl show -P MainPID gateway)"
sleep 1
await_calls
echo "again: $(systemctl is-active gateway) $(ctl status | sed -n 2p)"
echo "untouched: $([ "$calls" = "$(systemctl show -P MainPID gateway-calls)" ] && echo yes || echo no)"
kill -9 "$calls"
sleep 0.5
await_calls
echo "back: $(systemctl is-active gateway-calls) $(ctl status | sed -n 2p)"
systemctl stop gateway
echo "left: $(nft list tables | tr '\n' ' ')$(ip rule | grep -c 'proto 201')"
echo "journal: $(journalctl --no-pager -o cat SYSLOG_IDENTIFIER=gateway-daemon KIND=process | head -1)"
journalctl --no-pager -o short-monotonic | grep -E 'gateway' | tail -40
echo "end: of the probe"
