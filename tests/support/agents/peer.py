"""A peer on the message bus that speaks through the real oslo.messaging.

    peer.py URL HOST

Takes commands on standard input, a JSON object a line, and answers each on
standard output with an object that has its `id` and a `result` or an `error`
(`class` and `message`). What happens meanwhile are objects with an `event`.

    {"do": "call", "topic": T, "method": M, "arguments": {}, "timeout": 5}
        also "host", "version", "namespace"; "cast" and "fanout" likewise
    {"do": "serve", "topic": T, "host": H, "version": "1.4"}
        answers each call to T and at H with its arguments, and tells of it;
        a method "fail" raises ValueError
    {"do": "listen", "topic": T}      tells of notifications
    {"do": "agents", "agents": [...]} see agents.py
"""

import json
import logging
import sys
import threading
import traceback

from oslo_config import cfg
import oslo_messaging

import agents

EXCHANGE = "neutron"
CONTEXT = {"is_admin": True, "roles": [], "request_id": "req-7d1ab1a5-0f9c-4c43-9d4b-9f1bdd1e6f10"}

_writing = threading.Lock()


def tell(**what):
    """One line for whoever started this."""
    with _writing:
        sys.stdout.write(json.dumps(what, default=str) + "\n")
        sys.stdout.flush()


class Bus:
    """Clients and servers over one broker."""

    def __init__(self, url):
        # Its name for what everybody else calls AMQP 0-9-1.
        url = url.replace("amqp://", "rabbit://", 1)
        conf = cfg.CONF
        conf([], project="peer")
        oslo_messaging.set_transport_defaults(EXCHANGE)
        self.conf = conf
        self.url = url
        self.transport = oslo_messaging.get_rpc_transport(conf, url=url)
        # Found out sooner than by default that the broker is away.
        conf.set_override("heartbeat_timeout_threshold", 10, group="oslo_messaging_rabbit")
        conf.set_override("kombu_reconnect_delay", 0.2, group="oslo_messaging_rabbit")
        conf.set_override("rabbit_interval_max", 1, group="oslo_messaging_rabbit")

    def client(self, topic, host=None, version="1.0", namespace=None, fanout=None, timeout=10):
        target = oslo_messaging.Target(topic=topic, version=version, namespace=namespace)
        client = oslo_messaging.get_rpc_client(self.transport, target, timeout=timeout)
        return client.prepare(server=host, fanout=fanout)

    def call(self, topic, method, arguments, **how):
        return self.client(topic, **how).call(CONTEXT, method, **arguments)

    def cast(self, topic, method, arguments, **how):
        self.client(topic, **how).cast(CONTEXT, method, **arguments)

    def serve(self, topic, host, endpoint):
        target = oslo_messaging.Target(topic=topic, server=host)
        server = oslo_messaging.get_rpc_server(self.transport, target, [endpoint], executor="threading")
        server.start()
        return server

    def listen(self, topic):
        transport = oslo_messaging.get_notification_transport(self.conf, url=self.url)
        target = oslo_messaging.Target(topic=topic)
        listener = oslo_messaging.get_notification_listener(
            transport, [target], [Notifications()], executor="threading")
        listener.start()


class Notifications:
    def info(self, context, publisher_id, event_type, payload, metadata):
        tell(event="notified", type=event_type, publisher=publisher_id, payload=payload)


class Echo:
    """Every method answers with what it was given."""

    def __init__(self, topic, version, namespace=None):
        self.target = oslo_messaging.Target(version=version, namespace=namespace)
        self._topic = topic

    def __getattr__(self, method):
        if method.startswith(("_", "oslo_")):
            raise AttributeError(method)

        def echo(context, **arguments):
            tell(event="received", topic=self._topic, method=method, arguments=arguments,
                 request_id=context.get("request_id"))
            if method == "fail":
                raise ValueError(arguments.get("why", "told to"))
            return arguments

        return echo


def do(bus, command):
    what = command.pop("do")
    if what in ("call", "cast", "fanout"):
        topic, method = command.pop("topic"), command.pop("method")
        arguments = command.pop("arguments", None) or {}
        if what == "call":
            return bus.call(topic, method, arguments, **command)
        return bus.cast(topic, method, arguments, fanout=what == "fanout" or None, **command)
    if what == "serve":
        topic = command["topic"]
        endpoint = Echo(topic, command.get("version", "1.4"), command.get("namespace"))
        bus.serve(topic, command["host"], endpoint)
        return None
    if what == "listen":
        return bus.listen(command["topic"])
    return agents.do(bus, tell, what, command)


def handle(bus, command):
    number = command.pop("id", None)
    try:
        tell(id=number, result=do(bus, command))
    except oslo_messaging.RemoteError as error:
        tell(id=number, error={"class": error.exc_type, "message": str(error.value)})
    except Exception as error:
        logging.debug("%s", traceback.format_exc())
        tell(id=number, error={"class": type(error).__name__, "message": str(error)})


def main():
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    bus = Bus(sys.argv[1])
    tell(event="ready")
    for line in sys.stdin:
        threading.Thread(target=handle, args=(bus, json.loads(line)), daemon=True).start()


if __name__ == "__main__":
    main()
