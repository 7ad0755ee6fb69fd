"""The conversation's messages, made from the descriptor that the program itself prints: client and
daemon cannot be of two versions, and nothing generated is kept."""

import functools
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Iterator

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from ._programs import program


@functools.cache
def _pool() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    with tempfile.TemporaryDirectory() as place:
        out = Path(place, "s3rec.binpb")
        subprocess.run([program(), "descriptor", "--out", out], check=True, stdout=subprocess.DEVNULL)
        files = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes())
    for file in files.file:
        pool.Add(file)
    return pool


def message(name: str, **fields: Any) -> Any:
    """The message s3rec.v1.NAME with these fields."""
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"s3rec.v1.{name}"))(**fields)


def number(enum: str, name: str) -> int:
    """The number of a value; NAME is written as the command line writes it.

    Raises ValueError naming those that there are.
    """
    of = _pool().FindEnumTypeByName(f"s3rec.v1.{enum}")
    prefix = _prefix(enum)
    known = {value.name.removeprefix(prefix).lower().replace("_", "-"): value.number for value in of.values}
    known.pop("unspecified")
    if name not in known:
        raise ValueError(f"{enum.lower()} {name!r} is none of {', '.join(known)}")
    return known[name]


def name_of(enum: str, value: int) -> str:
    """The opposite of `number`."""
    full = _pool().FindEnumTypeByName(f"s3rec.v1.{enum}").values_by_number[value].name
    return full.removeprefix(_prefix(enum)).lower().replace("_", "-")


def _prefix(enum: str) -> str:
    """JOB_STATE_ of JobState."""
    words = "".join(f"_{letter}" if letter.isupper() else letter for letter in enum)
    return words.lstrip("_").upper() + "_"


class Refused(Exception):
    """A platform did not do what it was asked: its message, with the remedy where it names one.

    `code` is the name of the gRPC status code, `reason` the platform's own stable name (NOT_APPROVED, …).
    """

    def __init__(self, error: grpc.RpcError) -> None:
        self.code: str = error.code().name
        self.reason, remedy = _details(error)
        super().__init__("\n".join(filter(None, [error.details() or self.code, remedy])))


def _details(error: grpc.RpcError) -> tuple[str, str]:
    """The reason and the remedy that the status's details name, empty where they name none."""
    reason = remedy = ""
    status = rpc_status.from_call(error)
    for detail in status.details if status else ():
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            reason = error_details_pb2.ErrorInfo.FromString(detail.value).reason
        elif detail.Is(error_details_pb2.LocalizedMessage.DESCRIPTOR):
            remedy = error_details_pb2.LocalizedMessage.FromString(detail.value).message
    return reason, remedy


class Calls:
    """One service of one daemon over mutual TLS."""

    def __init__(self, service: str, address: str, ca: Path, certificate: Path, key: Path) -> None:
        self._service = _pool().FindServiceByName(f"s3rec.v1.{service}")
        credentials = grpc.ssl_channel_credentials(ca.read_bytes(), key.read_bytes(), certificate.read_bytes())
        self._channel = grpc.secure_channel(address.removeprefix("https://").rstrip("/"), credentials)

    def close(self) -> None:
        self._channel.close()

    def call(self, verb: str, *requests: Any, timeout: float | None = None, **fields: Any) -> Any:
        """What VERB answers: to the fields of its request, or to a stream of requests.

        Raises Refused.
        """
        try:
            return self._method(verb, fields, requests)(timeout)
        except grpc.RpcError as error:
            raise Refused(error) from None

    def stream(self, verb: str, **fields: Any) -> Iterator[Any]:
        """The answers of a verb that has many.

        Raises Refused.
        """
        try:
            yield from self._method(verb, fields, ())(None)
        except grpc.RpcError as error:
            raise Refused(error) from None

    def _method(self, verb: str, fields: dict[str, Any], requests: tuple[Any, ...]) -> Any:
        method = self._service.methods_by_name[verb]
        request, answer = (message_factory.GetMessageClass(one) for one in (method.input_type, method.output_type))
        sides = ("stream" if side else "unary" for side in (method.client_streaming, method.server_streaming))
        how = getattr(self._channel, "_".join(sides))(
            f"/{self._service.full_name}/{verb}", request.SerializeToString, answer.FromString
        )
        asked = requests[0] if method.client_streaming else request(**fields)
        return lambda timeout: how(asked, timeout=timeout)
