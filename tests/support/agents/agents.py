"""Stand-in agents: they report, answer what they are asked, and say of what
they would have wired that it is wired. Nothing is wired.

    {"do": "agents", "every": 5, "agents": [
        {"type": "openvswitch", "host": "h1", "configurations": {...}, "availability_zone": "z"}]}
        types: openvswitch, linuxbridge, macvtap, sriov, dhcp, l3, metering; starts
        reporting
    {"do": "up", "host": "h1", "ports": [ID]}     whoever wires ports there wires them
    {"do": "down", "host": "h1", "ports": [ID]}   and takes them away
    {"do": "silence", "host": "h1"}               its agents stop to report
    {"do": "speak", "host": "h1"}                 and begin again

Who wires ports (the first four) does so by itself with whatever port the server
says is bound at its host, unless it has "by_itself": false. A DHCP agent makes its port in each
network that it is given, and says that DHCP is ready for every port it hears of. An L3
agent, unless it has "by_itself": false, takes the ports of its routers to its host and
says that their floating IPs work.
"""

import concurrent.futures
import datetime
import threading
import uuid

import oslo_messaging

REPORTS = "q-reports-plugin"
PLUGIN = "q-plugin"
L3_PLUGIN = "q-l3-plugin"
TUNNELS = ["vxlan", "gre"]

KINDS = {
    "openvswitch": {
        "agent_type": "Open vSwitch agent", "binary": "neutron-openvswitch-agent", "topic": "N/A",
        "configurations": {
            "bridge_mappings": {"physnet1": "br-ex"}, "tunnel_types": TUNNELS,
            "tunneling_ip": "192.0.2.1", "l2_population": False, "arp_responder_enabled": False,
            "enable_distributed_routing": False, "datapath_type": "system", "extensions": [],
            "ovs_hybrid_plug": False, "integration_bridge": "br-int", "devices": 0,
            "vhostuser_socket_dir": "/var/run/openvswitch", "in_distributed_mode": False,
            "ovs_capabilities": {"datapath_types": ["netdev", "system"], "iface_types": []},
            "log_agent_heartbeats": False,
        },
        "resource_versions": {
            "Port": "1.11", "Network": "1.3", "Subnet": "1.2", "SecurityGroup": "1.6",
            "SecurityGroupRule": "1.3", "AddressGroup": "1.2", "Trunk": "1.1", "SubPort": "1.0",
            "QosPolicy": "1.10",
        },
    },
    "linuxbridge": {
        "agent_type": "Linux bridge agent", "binary": "neutron-linuxbridge-agent", "topic": "N/A",
        "configurations": {
            "bridge_mappings": {}, "interface_mappings": {"physnet1": "eth1"}, "devices": 0,
            "tunnel_types": ["vxlan"], "tunneling_ip": "192.0.2.1", "l2_population": False,
            "extensions": [], "log_agent_heartbeats": False,
        },
        "resource_versions": {"Port": "1.11"},
    },
    "macvtap": {
        "agent_type": "Macvtap agent", "binary": "neutron-macvtap-agent", "topic": "N/A",
        "configurations": {
            "interface_mappings": {"physnet1": "eth1"}, "devices": 0, "extensions": [],
            "log_agent_heartbeats": False,
        },
        "resource_versions": {"Port": "1.11"},
    },
    "sriov": {
        "agent_type": "NIC Switch agent", "binary": "neutron-sriov-nic-agent", "topic": "N/A",
        "configurations": {
            "device_mappings": {"physnet1": ["eth2"]}, "devices": 0, "extensions": [],
            "resource_provider_bandwidths": {}, "log_agent_heartbeats": False,
        },
        "resource_versions": {"Port": "1.11"},
    },
    "dhcp": {
        "agent_type": "DHCP agent", "binary": "neutron-dhcp-agent", "topic": "dhcp_agent",
        "availability_zone": "nova",
        "configurations": {
            "dhcp_driver": "neutron.agent.linux.dhcp.Dnsmasq", "dhcp_lease_duration": 86400,
            "log_agent_heartbeats": False, "networks": 0, "subnets": 0, "ports": 0,
        },
    },
    "l3": {
        "agent_type": "L3 agent", "binary": "neutron-l3-agent", "topic": "l3_agent",
        "availability_zone": "nova",
        "configurations": {
            "agent_mode": "legacy", "handle_internal_only_routers": True,
            "interface_driver": "openvswitch", "log_agent_heartbeats": False, "extensions": [],
            "routers": 0, "ex_gw_ports": 0, "interfaces": 0, "floating_ips": 0,
        },
    },
    "metering": {
        "agent_type": "Metering agent", "binary": "neutron-metering-agent", "topic": "metering_agent",
        "configurations": {
            "metering_driver": "noop", "measure_interval": 30, "report_interval": 300,
            "log_agent_heartbeats": False,
        },
    },
}


class Agent:
    """One agent: reports, and takes what is sent to its topic."""

    #: What all agents share.
    target = oslo_messaging.Target(version="1.99")

    def __init__(self, bus, tell, asked):
        kind = KINDS[asked["type"]]
        self._bus, self._tell = bus, tell
        self._host = asked["host"]
        self._asked = asked
        self._silent = threading.Event()
        self._state = {"host": self._host, "start_flag": True, "uuid": str(uuid.uuid4())}
        self._state.update((k, v) for k, v in kind.items() if k != "configurations")
        if asked.get("availability_zone"):
            self._state["availability_zone"] = asked["availability_zone"]
        self._state["configurations"] = dict(kind["configurations"], **asked.get("configurations", {}))
        self._label = "%s %s" % (self._state["agent_type"], self._host)

    def _call(self, topic, method, version="1.0", **arguments):
        """Asks the server; what it does not do yet, or any more, ends nothing."""
        try:
            return self._bus.call(topic, method, arguments, version=version)
        except Exception as error:
            kind = getattr(error, "exc_type", type(error).__name__)
            self._tell(event="refused", agent=self._label, method=method, error=kind, message=str(error))
            return None

    def _report(self):
        if self._silent.is_set():
            return
        now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
        answer = self._call(
            REPORTS, "report_state", "1.2", agent_state={"agent_state": self._state},
            time=now.strftime("%Y-%m-%dT%H:%M:%S.%f"))
        if answer is None:
            return
        fresh = self._state.pop("start_flag", None)
        self._state.pop("resource_versions", None)
        self._tell(event="reported", agent=self._state["agent_type"], host=self._host, answer=answer)
        if fresh or answer == "revived":
            self._sync()

    def _sync(self):
        """Once it is known to the server."""

    def _topics(self):
        return [self._state["topic"]]

    def _start(self):
        for topic in self._topics():
            self._bus.serve(topic, self._host, self)

    def _hear(self, method, arguments):
        self._tell(event="received", agent=self._state["agent_type"], host=self._host,
                   method=method, arguments=arguments)

    def __getattr__(self, method):
        if method.startswith(("_", "oslo_")):
            raise AttributeError(method)

        def heard(context, **arguments):
            self._hear(method, arguments)

        return heard


class Wiring(Agent):
    """Says of every port that is bound at its host that it is up."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._wired = set()

    def _topics(self):
        pushed = ["neutron-vo-%s-%s" % pair for pair in self._state["resource_versions"].items()]
        return pushed + ["q-agent-notifier-tunnel-update",
                         "q-agent-notifier-tunnel-delete", "q-agent-notifier-port-update"]

    def _start(self):
        self._listening = self._topics()
        super()._start()

    def _sync(self):
        for kind in self._state["configurations"].get("tunnel_types", []):
            self._call(PLUGIN, "tunnel_sync", "1.4", host=self._host, tunnel_type=kind,
                       tunnel_ip=self._state["configurations"]["tunneling_ip"])

    def _devices(self, up=(), down=()):
        self._wired.update(up)
        self._wired.difference_update(down)
        return self._call(
            PLUGIN, "update_device_list", "1.5", devices_up=list(up), devices_down=list(down),
            agent_id=self._label, host=self._host)

    def _is_here(self, port):
        return any(
            part["versioned_object.data"].get("host") == self._host
            and part["versioned_object.data"].get("status") == "ACTIVE"
            for part in port.get("bindings") or [])

    def push(self, context, resource_list, event_type):
        self._hear("push", {"event_type": event_type, "resource_list": resource_list})
        for resource in resource_list:
            if resource["versioned_object.name"] != "Port":
                continue
            port = resource["versioned_object.data"]
            if event_type == "deleted":
                self._wired.discard(port["id"])
            elif self._is_here(port):
                self._wire(port)

    def port_update(self, context, port, **more):
        self._hear("port_update", dict(more, port=port))
        if port.get("binding:host_id") == self._host:
            self._wire(port)

    def _wire(self, port):
        if self._asked.get("by_itself", True) and port.get("status") != "ACTIVE":
            self._devices(up=[port["id"]])


class Dhcp(Agent):
    """Has a port in each network that it serves, and is ready at once."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        # One thing after the other, or it would make two ports in a network.
        self._serving = threading.Lock()

    def _sync(self):
        networks = self._call(PLUGIN, "get_active_networks_info", "1.1", host=self._host,
                              enable_dhcp_filter=False)
        with self._serving:
            for network in networks or []:
                self._serve(network)

    def _serve_id(self, network_id):
        with self._serving:
            network = self._call(PLUGIN, "get_network_info", network_id=network_id, host=self._host)
            if network:
                self._serve(network)

    def _serve(self, network):
        served = [s for s in network.get("subnets", []) if s.get("enable_dhcp")]
        ports = {port["id"]: port for port in network.get("ports", [])}
        device = "dhcp%s-%s" % (uuid.uuid5(uuid.NAMESPACE_DNS, self._host), network["id"])
        mine = [p for p in ports.values() if p.get("device_id") == device]
        if served and not mine:
            port = self._call(
                PLUGIN, "create_dhcp_port", "1.1", host=self._host, port={"port": {
                    "name": "", "admin_state_up": True, "device_id": device,
                    "network_id": network["id"], "project_id": network.get("project_id"),
                    "fixed_ips": [{"subnet_id": s["id"]} for s in served]}})
            if port:
                ports[port["id"]] = port
                _wire(self._host, port["id"])
        if ports:
            self._ready(list(ports))

    def _ready(self, ports):
        self._call(PLUGIN, "dhcp_ready_on_ports", "1.5", port_ids=ports)


    def _of_network(self, method, payload):
        self._hear(method, {"payload": payload})
        network = (payload.get("network") or {}).get("id")
        self._serve_id(network or (payload.get("subnet") or {}).get("network_id"))

    def network_create_end(self, context, payload):
        self._of_network("network_create_end", payload)

    def network_update_end(self, context, payload):
        self._of_network("network_update_end", payload)

    def subnet_create_end(self, context, payload):
        self._of_network("subnet_create_end", payload)

    def subnet_update_end(self, context, payload):
        self._of_network("subnet_update_end", payload)

    def port_create_end(self, context, payload):
        self._hear("port_create_end", {"payload": payload})
        self._ready([payload["port"]["id"]])

    def port_update_end(self, context, payload):
        self._hear("port_update_end", {"payload": payload})
        self._ready([payload["port"]["id"]])


class L3(Agent):
    """Has its routers' ports at its host, and says that their floating IPs work."""

    def _sync(self):
        # One who is only seen to answer asks nothing by itself.
        if self._asked.get("by_itself", True):
            self._serve(self._call(L3_PLUGIN, "get_router_ids", "1.9", host=self._host))

    def _serve(self, ids):
        routers = self._call(L3_PLUGIN, "sync_routers", host=self._host, router_ids=ids or [])
        for router in routers or []:
            statuses = {ip["id"]: "ACTIVE" for ip in router.get("_floatingips", [])}
            if statuses:
                self._call(L3_PLUGIN, "update_floatingip_statuses", "1.1", router_id=router["id"],
                           fip_statuses=statuses)

    def routers_updated(self, context, routers, **more):
        self._hear("routers_updated", dict(more, routers=routers))
        if self._asked.get("by_itself", True):
            self._serve(routers)


CLASSES = {
    "openvswitch": Wiring, "linuxbridge": Wiring, "macvtap": Wiring, "sriov": Wiring,
    "dhcp": Dhcp, "l3": L3, "metering": Agent,
}
_agents = []


def _at(host, kind=Agent):
    return [agent for agent in _agents if agent._host == host and isinstance(agent, kind)]


def _wire(host, port):
    for agent in _at(host, Wiring):
        agent._devices(up=[port])


def _report(agents, every):
    # Not all in the same moment.
    pause = threading.Event()
    while True:
        for agent in agents:
            agent._report()
            pause.wait(every / max(len(agents), 1))


def do(bus, tell, what, command):
    if what == "agents":
        made = [CLASSES[asked["type"]](bus, tell, asked) for asked in command["agents"]]
        # Most of the time is spent waiting for the broker.
        with concurrent.futures.ThreadPoolExecutor() as pool:
            list(pool.map(lambda agent: agent._start(), made))
        _agents.extend(made)
        # The first time at once.
        for agent in made:
            agent._report()
        threading.Thread(target=_report, args=(made, command.get("every", 5)), daemon=True).start()
        return None
    host = command["host"]
    if what in ("up", "down"):
        return [agent._devices(**{what: command["ports"]}) for agent in _at(host, Wiring)]
    if what in ("silence", "speak"):
        for agent in _at(host):
            agent._silent.set() if what == "silence" else agent._silent.clear()
        return None
    raise ValueError("there is no command '%s'" % what)
