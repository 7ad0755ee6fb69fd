"""A client that knows nothing of s3rec but two addresses and two certificates: it learns services
and messages by reflection, takes both platforms through a job, and calls every verb they have."""
import sys
import grpc
from blake3 import blake3
from google.protobuf import descriptor_pool, message_factory
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

KEYS, DATA, RATING_ADDRESS, SOCIAL_ADDRESS = sys.argv[1:]
HEALTH = "grpc.health.v1.Health"
EVERYWHERE = [HEALTH, "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"]
Code = grpc.StatusCode


class Platform:
    def __init__(self, address, stem, service):
        files = (open(f"{KEYS}/{name}", "rb").read() for name in ("ca.pem", f"{stem}.key", f"{stem}.pem"))
        self.channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(*files))
        database = ProtoReflectionDescriptorDatabase(self.channel)
        self.pool = descriptor_pool.DescriptorPool(database)
        self.service, self.called = service, set()
        # The newer version of reflection has the same messages.
        ask = self.channel.stream_stream(
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            reflection_pb2.ServerReflectionRequest.SerializeToString,
            reflection_pb2.ServerReflectionResponse.FromString)
        answers = ask(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
        newer = [one.name for answer in answers for one in answer.list_services_response.service]
        assert sorted(newer) == sorted(database.get_services()) == sorted(EVERYWHERE + [service]), newer

    def verbs(self):
        return self.pool.FindServiceByName(self.service).methods_by_name

    def call(self, verb, *requests, service=None):
        """What a verb answers: to one request, an empty one unless given, or to a stream of them."""
        service = service or self.service
        method = self.pool.FindServiceByName(service).methods_by_name[verb]
        request, answer = (message_factory.GetMessageClass(one) for one in (method.input_type, method.output_type))
        sides = ("stream" if side else "unary" for side in (method.client_streaming, method.server_streaming))
        encode = lambda one: one if isinstance(one, bytes) else request(**one).SerializeToString()
        how = getattr(self.channel, "_".join(sides))(f"/{service}/{verb}", encode, answer.FromString)
        self.called.add(verb)
        requests = requests or ({},)
        answered = how(iter(requests) if method.client_streaming else requests[0], timeout=300)
        return list(answered) if method.server_streaming else answered

    def refuses(self, code, reason, verb, *requests, service=None):
        """A call fails with that code, and the reason is in the status's google.rpc details."""
        try:
            self.call(verb, *requests, service=service)
        except grpc.RpcError as error:
            details = dict(error.trailing_metadata()).get("grpc-status-details-bin", b"")
            assert error.code() == code and len(error.details()) <= 1003, (verb, error)
            assert not reason or b"google.rpc.ErrorInfo" in details and reason.encode() in details, (verb, error)
            return
        raise AssertionError(f"{verb} was not refused")


def upload(name):
    data = open(f"{DATA}/{name}", "rb").read()
    header = dict(file_name=name, dataset="test", length=len(data), digest=blake3(data).digest())
    return dict(header=header), dict(data=data)


rating = Platform(RATING_ADDRESS, "rating-operator", "s3rec.v1.RatingPlatform")
social = Platform(SOCIAL_ADDRESS, "social-operator", "s3rec.v1.SocialPlatform")
for platform in (rating, social):
    for name in ("", platform.service):
        assert platform.call("Check", dict(service=name), service=HEALTH).status == 1, name
    platform.refuses(Code.NOT_FOUND, "", "Check", dict(service="s3rec.v1.Nobody"), service=HEALTH)
    for hidden in ("s3rec.v1.Peer", "s3rec.v1.StoredApproval"):
        try:
            platform.pool.FindFileContainingSymbol(hidden)
        except (KeyError, grpc.RpcError):
            continue
        raise AssertionError(f"{platform.service} tells of {hidden}")

assert rating.call("ImportRatings", *upload("ratings.tsv")).users > 0
assert social.call("ImportLinks", *upload("links.tsv")).links > 0


def propose():
    model = dict(rank=4, solver="SOLVER_GD", operator="OPERATOR_NORMALIZED_LAPLACIAN", rounds=2)
    return rating.call("ProposeJob", dict(
        dataset="test", model=model, protocol="PROTOCOL_PREPROCESSED", pattern_policy="PATTERN_POLICY_NOTHING",
        release_policy=dict(kind="RELEASE_KIND_EXACT"), purpose="a generic client")).job_id


job = dict(job_id=propose())
assert [one.job_id for one in social.call("ListProposals", dict(pending_only=True)).proposals] == [job["job_id"]]
rating.refuses(Code.FAILED_PRECONDITION, "NOT_APPROVED", "StartJob", job)
social.call("ApproveProposal", job)
rating.call("StartJob", job)
assert rating.call("WatchJob", job)[-1].state == 5, "the job has not finished"
assert social.call("WatchProposal", job)
assert rating.call("JobReport", job).job.job_id == job["job_id"]
assert social.call("JobCost", job).common_users > 0
assert [one.job_id for one in rating.call("ListJobs").jobs] == [job["job_id"]]
assert [one.model_id for one in rating.call("ListModels").models] == [job["job_id"]]
assert rating.call("Evaluate").model.rmse > 0
user, item = open(f"{DATA}/ratings.tsv").readline().split("\t")[:2]
assert rating.call("Predict", dict(user_id=user, item_id=item)).known_user
assert len(rating.call("Recommend", dict(user_id=user, count=5)).items) == 5
assert len(rating.call("ExportModel")) > 1
for platform in (rating, social):
    assert len(platform.call("ListDisclosures").disclosures) == 1
    assert len(platform.call("StockStatus", job).stocks) == 1
    platform.refuses(Code.FAILED_PRECONDITION, "WRONG_STATE", "AcceptPeerLog", dict(log="0" * 64))
    platform.refuses(Code.FAILED_PRECONDITION, "WRONG_STATE", "Reconcile", dict(nothing_since=True))
    platform.refuses(Code.INVALID_ARGUMENT, "INVALID_REQUEST", "Reconcile")
    backup = platform.call("Backup")
    assert sum(len(one.data) for one in backup) == backup[0].total_bytes > 0
    assert [one.dataset for one in platform.call("ListDatasets").datasets] == ["test"]
    assert platform.call("ShowDataset", dict(dataset="test")).dataset.dataset == "test"
for verb in ("ShowPolicy", "ReloadPolicy"):
    assert social.call(verb).text == ""
rating.call("CancelJob", dict(job_id=propose(), reason="a test"))
social.call("RejectProposal", dict(job_id=propose(), reason="a test"))
taken_back = dict(job_id=propose())
social.call("ApproveProposal", taken_back)
social.call("RevokeApproval", taken_back)

# What was kept goes when it is asked to, open jobs and models first.
for one in rating.call("ListJobs").jobs:
    if one.last_event.state < 5:
        try:
            rating.call("CancelJob", dict(job_id=one.job_id, reason="over"))
        except grpc.RpcError as error:
            # The rejection and the withdrawal reach the rating platform by themselves meanwhile.
            assert error.code() == Code.FAILED_PRECONDITION, error
rating.call("DeleteModel", dict(model_id=job["job_id"]))
for platform in (rating, social):
    platform.call("DeleteJob", job)
    platform.call("DeleteDataset", dict(dataset="test"))

# Whatever a client sends, it hears what was wrong with it.
by_job = {
    rating: ["StartJob", "WatchJob", "CancelJob", "JobReport", "StockStatus", "DeleteJob"],
    social: ["ApproveProposal", "RejectProposal", "RevokeApproval", "WatchProposal", "JobCost", "StockStatus", "DeleteJob"],
}
for platform, verbs in by_job.items():
    for name in ("nothing", "é" * 2000, "a\nb", "00000000-0000-4000-8000-000000000000"):
        for verb in verbs:
            platform.refuses(Code.NOT_FOUND, "NOT_FOUND", verb, dict(job_id=name))
    for verb in sorted(platform.verbs()):
        platform.refuses(Code.INVALID_ARGUMENT, "INVALID_REQUEST", verb, b"\xff\xff\xff")
        platform.refuses(Code.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED", verb, b"\x0a" + bytes(2 << 20))
    missing = set(platform.verbs()) - platform.called
    assert not missing, missing
    print(platform.service, *sorted(platform.verbs()))
