import sys
import grpc
from s3rec.v1 import rating_pb2 as s3rec, rating_pb2_grpc

address, keys, user, item = sys.argv[1:]
files = (open(f"{keys}/{name}", "rb").read() for name in ("ca.pem", "rating-operator.key", "rating-operator.pem"))
with grpc.secure_channel(address, grpc.ssl_channel_credentials(*files)) as channel:
    platform = rating_pb2_grpc.RatingPlatformStub(channel)
    print(*(model.model_id for model in platform.ListModels(s3rec.ListModelsRequest()).models))
    print(platform.Predict(s3rec.PredictRequest(user_id=user, item_id=item)).rating)
    print(*(best.item_id for best in platform.Recommend(s3rec.RecommendRequest(user_id=user, count=5)).items))
