"""A Terraform provider "oci" whose cloud is a JSON file (OCI_SIM_CLOUD). See README.md."""
import base64
import datetime
import json
import os
import re
import signal
import sys
import tempfile
import threading
from concurrent import futures

import grpc
import msgpack
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import tfplugin5_pb2 as pb
from cloud import Cloud, Refused, query
from schemas import DATA_SOURCES, DEFAULTS, PROVIDER, RESOURCES, Block

# go-plugin's handshake: who is not started by Terraform says so and goes.
COOKIE = ("TF_PLUGIN_MAGIC_COOKIE", "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2")


class Unknown:
    """A value that only applying tells."""
    def __eq__(self, other):
        return isinstance(other, Unknown)

    __hash__ = None


UNKNOWN = Unknown()


def decode(value):
    if value.json:
        return json.loads(value.json)
    return msgpack.unpackb(value.msgpack, ext_hook=lambda code, data: UNKNOWN, strict_map_key=False)


def encode(value):
    return pb.DynamicValue(msgpack=msgpack.packb(value, default=lambda _: msgpack.ExtType(0, b"\0")))


# ---- schemas

def parts(spec):
    words = spec.split(" ")
    return words[0], words[1], words[2:] == ["F"]


def json_type(name):
    if name.startswith("["):
        return name
    inner = re.fullmatch(r"(list|set|map)\((\w+)\)", name)
    return json.dumps(list(inner.groups()) if inner else name)


def block_schema(fields):
    block = pb.Schema.Block()
    for name, spec in fields.items():
        if isinstance(spec, Block):
            block.block_types.add(type_name=name, block=block_schema(spec.fields), min_items=spec.least,
                                  max_items=spec.most, nesting=3 if spec.nesting == "set" else 2)
        else:
            mode, kind, _ = parts(spec)
            block.attributes.add(name=name, type=json_type(kind).encode(), required=mode == "R",
                                 optional="O" in mode, computed="C" in mode)
    return block


def schema(fields):
    return pb.Schema(block=block_schema(fields))


# ---- planning

def plan_value(fields, proposed, config, prior, path, changed, kind=""):
    """proposed with what the cloud will fill in as UNKNOWN, and in changed the paths that make the resource anew."""
    out = {}
    for name, spec in fields.items():
        mine, was = proposed.get(name), (prior or {}).get(name)
        if isinstance(spec, Block):
            out[name] = plan_block(spec, mine, (config or {}).get(name), was, [*path, name], changed, f"{kind}.{name}")
            continue
        mode, _, force = parts(spec)
        if mine is None and "C" in mode:
            mine = UNKNOWN if prior is None else was
        if mine is None:
            mine = DEFAULTS.get(kind, {}).get(name)
        out[name] = mine
        if force and prior is not None and mine != was:
            changed.append([*path, name])
    return out


def plan_block(spec, proposed, config, prior, path, changed, kind):
    if isinstance(proposed, Unknown):
        return proposed
    if spec.computed and not config and prior:
        return prior  # as the provider has it: to take all blocks away changes nothing
    items = []
    for i, item in enumerate(proposed or []):
        if spec.nesting == "set":  # Terraform has found the prior elements' own values already
            was = item if item in (prior or []) else None
        else:
            was = prior[i] if prior and i < len(prior) else None
        items.append(plan_value(spec.fields, item, config[i] if config and i < len(config) else None, was, [*path, i],
                                changed, kind))
    return items


def settle(value):
    """UNKNOWN as nothing: the cloud fills it in, or it has none."""
    if isinstance(value, dict):
        return {k: settle(v) for k, v in value.items()}
    if isinstance(value, list):
        return [settle(v) for v in value]
    return None if isinstance(value, Unknown) else value


def attribute_path(path):
    out = pb.AttributePath()
    for step in path:
        if isinstance(step, int):
            out.steps.add(element_key_int=step)
        else:
            out.steps.add(attribute_name=step)
    return out


def error(why):
    return pb.Diagnostic(severity=pb.Diagnostic.ERROR, summary=str(why).split(", ", 1)[0], detail=str(why))


# ---- the calls

class Provider:
    def __init__(self, cloud, stopped):
        self.cloud, self.stopped = cloud, stopped

    def GetSchema(self, _):
        return pb.SchemaResponse(provider=schema(PROVIDER),
                                 resource_schemas={k: schema(v) for k, v in RESOURCES.items()},
                                 data_source_schemas={k: schema(v) for k, v in DATA_SOURCES.items()})

    def PrepareProviderConfig(self, request):
        return pb.PrepareResponse(prepared_config=request.config)

    def ValidateResourceTypeConfig(self, _):
        return pb.Checked()

    ValidateDataSourceConfig = ValidateResourceTypeConfig

    def Configure(self, _):
        return pb.Checked()

    def UpgradeResourceState(self, request):
        return pb.StateResponse(new_state=encode(json.loads(request.raw_state.json)))

    def ReadResource(self, request):
        state = decode(request.current_state)
        with self.cloud.open() as cloud:
            found = cloud.objects.get(state["id"])
        if found is None:
            return pb.StateResponse(new_state=encode(None))
        return pb.StateResponse(new_state=encode({k: found.get(k) for k in RESOURCES[request.type_name]}))

    def ReadDataSource(self, request):
        try:
            with self.cloud.open() as cloud:
                return pb.StateResponse(new_state=encode(query(cloud, request.type_name, decode(request.config))))
        except Refused as why:
            return pb.StateResponse(diagnostics=[error(why)])

    def PlanResourceChange(self, request):
        proposed, prior = decode(request.proposed_new_state), decode(request.prior_state)
        if proposed is None:
            return pb.PlanResponse(planned_state=request.proposed_new_state, legacy_type_system=True)
        changed = []
        planned = plan_value(RESOURCES[request.type_name], proposed, decode(request.config), prior, [], changed,
                             request.type_name)
        return pb.PlanResponse(planned_state=encode(planned), legacy_type_system=True,
                               requires_replace=[attribute_path(p) for p in changed])

    def ApplyResourceChange(self, request):
        planned, prior, kind = decode(request.planned_state), decode(request.prior_state), request.type_name
        try:
            with self.cloud.open() as cloud:
                if planned is None:
                    cloud.delete(kind, prior["id"])
                    return pb.ApplyResponse(new_state=encode(None), legacy_type_system=True)
                new = settle(planned)
                if prior is None:
                    cloud.create(kind, new)
                else:
                    self.refuse_immutable(kind, new, prior)
                    cloud.update(kind, new, prior)
                made = cloud.objects[new["id"]]
                return pb.ApplyResponse(new_state=encode({k: made.get(k) for k in RESOURCES[kind]}),
                                        legacy_type_system=True)
        except Refused as why:
            return pb.ApplyResponse(new_state=request.prior_state, diagnostics=[error(why)], legacy_type_system=True)

    def refuse_immutable(self, kind, new, prior):
        changed = []
        plan_value(RESOURCES[kind], new, new, prior, [], changed, kind)
        if changed:
            raise Refused(f"400-InvalidParameter, {kind}.{changed[0]} cannot change in place")

    def Stop(self, _):
        self.stopped.set()
        return pb.StopResponse()


REQUESTS = {
    "GetSchema": pb.Empty, "PrepareProviderConfig": pb.ConfigRequest, "ValidateResourceTypeConfig": pb.TypedConfigRequest,
    "ValidateDataSourceConfig": pb.TypedConfigRequest, "Configure": pb.ConfigureRequest,
    "UpgradeResourceState": pb.UpgradeRequest, "ReadResource": pb.ReadRequest, "ReadDataSource": pb.TypedConfigRequest,
    "PlanResourceChange": pb.PlanRequest, "ApplyResourceChange": pb.ApplyRequest, "Stop": pb.Empty,
}


def method(call, request):
    return grpc.unary_unary_rpc_method_handler(lambda message, _: call(message), request_deserializer=request.FromString,
                                               response_serializer=lambda message: message.SerializeToString())


def own_certificate():
    """go-plugin's client trusts exactly the certificate that the handshake names."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.utcnow()
    cert = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(minutes=5))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
            .add_extension(x509.BasicConstraints(True, None), True).sign(key, hashes.SHA256()))
    return (key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                              serialization.NoEncryption()),
            cert.public_bytes(serialization.Encoding.PEM), cert.public_bytes(serialization.Encoding.DER))


def main():
    if os.environ.get(COOKIE[0]) != COOKIE[1]:
        sys.exit("This is a Terraform provider (a simulator, see tests/oci-sim/README.md): Terraform starts it.")
    stopped = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Terraform says Stop itself
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    provider = Provider(Cloud(os.environ["OCI_SIM_CLOUD"]), stopped)
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    server.add_generic_rpc_handlers((
        grpc.method_handlers_generic_handler("tfplugin5.Provider", {
            name: method(getattr(provider, name), request) for name, request in REQUESTS.items()}),
        grpc.method_handlers_generic_handler("plugin.GRPCController", {
            "Shutdown": method(lambda _: stopped.set() or pb.Empty(), pb.Empty)}),
    ))
    with tempfile.TemporaryDirectory(prefix="oci-sim-") as room:
        path, announced = f"{room}/provider", ""
        client = os.environ.get("PLUGIN_CLIENT_CERT")
        if client:
            key, pem, der = own_certificate()
            server.add_secure_port(f"unix:{path}", grpc.ssl_server_credentials(
                [(key, pem)], root_certificates=client.encode(), require_client_auth=True))
            announced = base64.b64encode(der).rstrip(b"=").decode()
        else:
            server.add_insecure_port(f"unix:{path}")
        server.start()
        print(f"1|5|unix|{path}|grpc|{announced}", flush=True)
        stopped.wait()
        server.stop(0.1)


main()
