"""The gate before all services: every request of a role's session is judged here, whoever serves it."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING

from local_stack.aws.errors import error_response
from local_stack.aws.iam import accesses, callers, s3_accesses
from local_stack.aws.iam.callers import RoleSession, UnknownTokenError
from local_stack.aws.iam.check import AccessDeniedError, check_trust, require_for
from local_stack.aws.iam.policies import Access
from local_stack.aws.iam.requests import Signature, read_aws_request, read_s3_request, read_signature

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class Guard:
    """Passes on what the caller may do; while it is served, the caller is ``callers.current()``.

    Requests of administrators pass unread, but for AssumeRole, which the role's trust policy decides too.
    """

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request, or refuse it."""
        signature = read_signature(environ)
        if signature is None:
            return self._application(environ, start_response)
        try:
            session = callers.session_of(signature.access_key)
            if session is not None:
                require_for(session, _accesses(environ, signature, session))
            if signature.service == "sts":
                _check_assumption(environ, signature, session)
        except UnknownTokenError as error:
            return error_response(
                environ, start_response, HTTPStatus.FORBIDDEN, "InvalidClientTokenId", str(error)
            )
        except AccessDeniedError as error:
            return _refuse(environ, start_response, error)
        if session is None:
            return self._application(environ, start_response)
        with callers.acting_as(session):
            try:
                return self._application(environ, start_response)
            except AccessDeniedError as error:
                return _refuse(environ, start_response, error)


def _accesses(environ: WSGIEnvironment, signature: Signature, session: RoleSession) -> list[Access]:
    if signature.service == "s3":
        return s3_accesses.accesses_of(read_s3_request(environ))
    request = read_aws_request(environ, signature.service, session.account_id, signature.region)
    return accesses.accesses_of(request)


def _check_assumption(environ: WSGIEnvironment, signature: Signature, session: RoleSession | None) -> None:
    """Let a role be assumed by whom it trusts only: its account, or the caller by its ARN."""
    request = read_aws_request(environ, "sts", "", signature.region)
    if request.operation != "AssumeRole":
        return
    wanted = request.parameters.get("RoleArn", "")
    if session is None:
        who, account_id = "administrator", callers.account_of(signature.access_key, environ)
        principals = []
    else:
        who, account_id, principals = session.arn, session.account_id, [session.role_arn, session.arn]
    principals += [account_id, f"arn:{callers.PARTITION}:iam::{account_id}:root"]
    check_trust(wanted, "AWS", principals, Access("sts:AssumeRole", wanted), who)


def _refuse(
    environ: WSGIEnvironment, start_response: StartResponse, error: AccessDeniedError
) -> Iterable[bytes]:
    if "HTTP_X_AMZ_TARGET" in environ:
        return error_response(environ, start_response, HTTPStatus.BAD_REQUEST, error.code, str(error))
    return error_response(environ, start_response, HTTPStatus.FORBIDDEN, "AccessDenied", str(error))
