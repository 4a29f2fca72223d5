"""What a refusal of S3 means for a person: the code, the message, and the cure."""

from __future__ import annotations

from typing import NamedTuple

from botocore import exceptions as botocore
from s3fs.core import S3_RETRYABLE_ERRORS

from aictl.core.errors import AictlError, BadInput, BadRequest, MachineLacks, NotFound
from aictl.stores.address import Address
from aictl.stores.backend import usual_meaning
from aictl.stores.patience import first_line

# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html, and the bare status where there is no body.
_PASSING = {
    "SlowDown",
    "ServiceUnavailable",
    "InternalError",
    "RequestTimeout",
    "OperationAborted",
    "ConditionalRequestConflict",
    "Throttling",
    "ThrottlingException",
    "XAmzContentSHA256Mismatch",
    "BadDigest",
    "IncompleteBody",
    "Busy",
    *("408", "429", "500", "502", "503", "504"),
}

_SIGN_IN = (
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; a public bucket is read with FSSPEC_S3_ANON=true"
)
_SIGN_IN_AGAIN = "aws sso login, or however you sign in"


class _Refusal(NamedTuple):
    """Codes of one meaning. ``says`` and ``cure`` may name the ``verb``, ``where`` and the ``bucket``."""

    codes: frozenset[str]
    kind: type[AictlError]
    says: str
    cure: str


_REFUSALS = (
    _Refusal(
        frozenset({"NoSuchBucket"}),
        NotFound,
        "there is no bucket '{bucket}'",
        "check the spelling and AWS_ENDPOINT_URL, or make it: aws s3 mb s3://{bucket}",
    ),
    _Refusal(
        frozenset({"NoSuchKey", "NoSuchVersion", "404"}), NotFound, "{where} does not exist", "check the spelling"
    ),
    _Refusal(
        frozenset({"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "InvalidSecurity"}),
        MachineLacks,
        "the credentials are not known there, so that they may not {verb} {where}",
        _SIGN_IN,
    ),
    _Refusal(
        frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"}),
        MachineLacks,
        "the credentials to {verb} {where} have expired",
        _SIGN_IN_AGAIN,
    ),
    _Refusal(
        frozenset({"AccessDenied", "AllAccessDisabled", "AccountProblem", "InvalidPayer", "401", "403"}),
        MachineLacks,
        "these credentials may not {verb} {where}",
        "they need s3:ListBucket to list, s3:GetObject to read, s3:PutObject to write; AWS_PROFILE names others",
    ),
    _Refusal(
        frozenset({"RequestTimeTooSkewed"}), MachineLacks, "{where}: this machine's clock is wrong", "set the clock"
    ),
    _Refusal(
        frozenset({"PermanentRedirect", "301", "307", "AuthorizationHeaderMalformed"}),
        BadRequest,
        "{where} is in another region",
        "AWS_DEFAULT_REGION=REGION names it",
    ),
    _Refusal(
        frozenset({"InvalidObjectState"}),
        BadInput,
        "{where} is archived",
        "restore it first: aws s3api restore-object",
    ),
    _Refusal(
        frozenset({"QuotaExceeded", "InsufficientStorage", "XMinioStorageFull", "507"}),
        MachineLacks,
        "{where}: the store is full",
        "make room there, and run it again",
    ),
)

# By name, because some are younger than the oldest botocore that will do.
_NOT_SIGNED_IN = {
    "NoCredentialsError": _SIGN_IN,
    "PartialCredentialsError": _SIGN_IN,
    "ProfileNotFound": "AWS_PROFILE names one of those in ~/.aws/config",
    "ConfigParseError": "mend ~/.aws/config and ~/.aws/credentials",
    "ConfigNotFound": "mend ~/.aws/config and ~/.aws/credentials",
    "SSOError": _SIGN_IN_AGAIN,
    "LoginError": _SIGN_IN_AGAIN,
    "TokenRetrievalError": _SIGN_IN_AGAIN,
    "CredentialRetrievalError": _SIGN_IN_AGAIN,
}


def code_of(error: BaseException) -> str:
    """The code that the server gave, or nothing."""
    for one in (error, error.__cause__):
        if isinstance(one, botocore.ClientError):
            return str(one.response.get("Error", {}).get("Code", ""))
    return ""


def meaning(error: Exception, verb: str, where: str, bucket: Address) -> AictlError | None:
    """The error of our family that says what happened, or None if it may pass. Raises again what is a bug."""
    if code := code_of(error):
        return _refusal(code, error, verb, where, bucket)
    said = first_line(error)
    for kind in type(error).__mro__:
        if cure := _NOT_SIGNED_IN.get(kind.__name__):
            return MachineLacks(f"no credentials to {verb} {where}: {said}", cure=cure)
    if isinstance(error, botocore.ParamValidationError | botocore.InvalidRegionError | botocore.NoRegionError):
        return BadRequest(f"{where}: {said}", cure="check the bucket's name and AWS_DEFAULT_REGION")
    if isinstance(error, ValueError) and "endpoint" in said.lower():
        return BadRequest(f"AWS_ENDPOINT_URL: {said}", cure="such as http://127.0.0.1:9000")
    if isinstance(error, botocore.SSLError):
        return MachineLacks(f"{where}: {said}", cure="AWS_CA_BUNDLE names the certificates that are trusted")
    passes = isinstance(error, (*S3_RETRYABLE_ERRORS, botocore.ConnectionError))
    return None if passes else usual_meaning(error, verb, where)


def _refusal(code: str, error: Exception, verb: str, where: str, bucket: Address) -> AictlError | None:
    if code in _PASSING:
        return None
    said = f"({code}: {first_line(error)})"
    for one in _REFUSALS:
        if code in one.codes:
            words = {"verb": verb, "where": where, "bucket": bucket.place}
            return one.kind(f"{one.says.format(**words)} {said}", cure=one.cure.format(**words))
    return BadRequest(f"the store will not {verb} {where} {said}")
