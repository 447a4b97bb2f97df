"""Neutron's configuration in a folder of its own."""

TEXT = """\
[DEFAULT]
host = network-server
auth_strategy = noauth
core_plugin = ml2
service_plugins = qos,trunk
api_paste_config = {paste}
transport_url = {broker}
state_path = {folder}/state
use_stderr = true
default_log_levels = py.warnings=ERROR,amqp=WARN,oslo=WARN,sqlalchemy=WARN,neutron.api.extensions=WARN,neutron.quota=ERROR
# One process for all that agents ask, reports included.
rpc_workers = 1
rpc_state_report_workers = 0
notify_nova_on_port_status_changes = false
notify_nova_on_port_data_changes = false
[database]
connection = {database}
[oslo_concurrency]
lock_path = {folder}/lock
[ml2]
type_drivers = flat,vlan,vxlan,gre
project_network_types = vxlan
mechanism_drivers = openvswitch
extension_drivers = port_security,qos
[ml2_type_vxlan]
vni_ranges = 1:1000
[ml2_type_gre]
tunnel_id_ranges = 1:1000
[securitygroup]
enable_security_group = true
"""


def write(folder, paste, database, broker):
    """Writes neutron.conf; its path."""
    file = folder / "neutron.conf"
    file.write_text(TEXT.format(folder=folder, paste=paste, database=database, broker=broker))
    return file
