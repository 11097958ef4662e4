"""Function calls: the list of functions that are run, and how a call is checked against it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlglot import exp

from local_stack.aws.athena.engine import types
from local_stack.aws.athena.engine.coercion import coercible, convert
from local_stack.aws.athena.engine.compiler import Compiler, handles
from local_stack.aws.athena.engine.errors import Position, QueryError, not_supported
from local_stack.aws.athena.engine.typed import Typed, combine
from local_stack.aws.athena.engine.types import Kind, SqlType


@dataclass(frozen=True)
class Call:
    """One call of a function: its name in lower case, and its arguments, compiled."""

    compiler: Compiler
    node: exp.Expr
    name: str
    args: list[Typed]

    @property
    def position(self) -> Position | None:
        """Where the call stands."""
        return self.compiler.position(self.node)

    def arity(self, least: int, most: int | None = None) -> None:
        """Want so many arguments.

        Raises:
            QueryError: FUNCTION_NOT_FOUND.
        """
        if not least <= len(self.args) <= (least if most is None else most):
            raise self.unexpected()

    def unexpected(self) -> QueryError:
        """The error for arguments that the function does not take."""
        given = ", ".join(str(arg.type) for arg in self.args)
        message = f"Unexpected parameters ({given}) for function {self.name}"
        return QueryError("FUNCTION_NOT_FOUND", message, self.position)

    def unsupported(self, what: str) -> QueryError:
        """The error for a way of calling that is not run."""
        return not_supported(f"{self.name} {what}", self.position)

    def as_type(self, index: int, target: SqlType) -> Typed:
        """An argument as a type.

        Raises:
            QueryError: FUNCTION_NOT_FOUND, if Athena would not convert it.
        """
        if not coercible(self.args[index].type, target):
            raise self.unexpected()
        value = self.args[index]
        return value if value.type == target else convert(value, target)

    def number(self, index: int) -> Typed:
        """A numeric argument, as it is."""
        if not self.args[index].type.is_numeric:
            raise self.unexpected()
        return self.args[index]

    def moment(self, index: int) -> Typed:
        """A date or timestamp argument, as it is."""
        if not self.args[index].type.is_temporal:
            raise self.unexpected()
        return self.args[index]

    def literal_text(self, index: int) -> str:
        """A string argument that must be written out.

        Raises:
            QueryError: NOT_SUPPORTED where it is computed.
        """
        value = self.args[index].constant
        if not isinstance(value, str):
            if self.args[index].type.kind is not Kind.VARCHAR:
                raise self.unexpected()
            raise self.unsupported("with a computed string where a literal is usual")
        return value

    def literal_integer(self, index: int) -> int:
        """A whole-number argument that must be written out."""
        value = self.args[index].constant
        if not isinstance(value, int) or isinstance(value, bool):
            if not self.args[index].type.is_integer:
                raise self.unexpected()
            raise self.unsupported("with a computed number where a literal is usual")
        return value

    def result(self, sql: str, type_: SqlType, *, refusing: bool = False) -> Typed:
        """The call's value."""
        return combine(sql, type_, *self.args, refusing=refusing)


ScalarFunction = Callable[[Call], Typed]
SCALARS: dict[str, ScalarFunction] = {}

RawFunction = Callable[[Compiler, exp.Expr], Typed]
RAW: dict[str, RawFunction] = {}
"""Functions that compile their arguments themselves: TRY, aggregates, those that take lambdas."""


def scalar(*names: str) -> Callable[[ScalarFunction], ScalarFunction]:
    """Register a scalar function."""

    def register(function: ScalarFunction) -> ScalarFunction:
        SCALARS.update(dict.fromkeys(names, function))
        return function

    return register


def raw(*names: str) -> Callable[[RawFunction], RawFunction]:
    """Register a function that compiles its arguments itself."""

    def register(function: RawFunction) -> RawFunction:
        RAW.update(dict.fromkeys(names, function))
        return function

    return register


def function_name(node: exp.Expr) -> str:
    """A called function's name in lower case."""
    return str(node.name if isinstance(node.this, exp.Identifier) else node.this).lower()


def invoke(compiler: Compiler, node: exp.Expr, name: str, arguments: list[exp.Expr]) -> Typed:
    """A call of a scalar function by name.

    Raises:
        QueryError: NOT_SUPPORTED for a function that is not on the list.
    """
    function = SCALARS.get(name)
    if function is None:
        raise not_supported(f"the function {name}", compiler.position(node))
    return function(Call(compiler, node, name, [compiler.compile(argument) for argument in arguments]))


@handles(exp.Anonymous, args="this expressions")
def call(compiler: Compiler, node: exp.Expr) -> Typed:
    """``f(a, b)``."""
    name = function_name(node)
    function = RAW.get(name)
    return function(compiler, node) if function else invoke(compiler, node, name, node.expressions)


@handles(exp.Substring, args="this start length")
def substring_call(compiler: Compiler, node: exp.Expr) -> Typed:
    """``substring(s, 1, 2)`` and ``substring(s FROM 1 FOR 2)``."""
    arguments = [node.args[part] for part in ("this", "start", "length") if node.args.get(part)]
    return invoke(compiler, node, "substr", arguments)


@handles(exp.StrPosition, args="this substr")
def position_call(compiler: Compiler, node: exp.Expr) -> Typed:
    """``position(part IN whole)``."""
    return invoke(compiler, node, "strpos", [node.this, node.args["substr"]])


@handles(exp.Trim, args="this expression position")
def trim_call(compiler: Compiler, node: exp.Expr) -> Typed:
    """``trim(s)``, ``trim(LEADING 'x' FROM s)``."""
    side = str(node.args.get("position") or "BOTH").upper()
    name = {"BOTH": "trim", "LEADING": "ltrim", "TRAILING": "rtrim"}[side]
    characters = node.args.get("expression")
    return invoke(compiler, node, name, [node.this, *([characters] if characters else [])])


@handles(exp.Extract)
def extract_call(compiler: Compiler, node: exp.Expr) -> Typed:
    """``extract(YEAR FROM x)``."""
    return invoke(compiler, node, node.this.name.lower(), [node.expression])


@handles(exp.AtTimeZone, args="this zone")
def at_time_zone_call(compiler: Compiler, node: exp.Expr) -> Typed:
    """``x AT TIME ZONE 'Europe/Berlin'``."""
    return invoke(compiler, node, "at_timezone", [node.this, node.args["zone"]])


@raw("try")
def try_(compiler: Compiler, node: exp.Expr) -> Typed:
    """NULL where the expression fails; refused where the failure might be ours and not Athena's."""
    if len(node.expressions) != 1:
        raise QueryError(
            "SYNTAX_ERROR", "The 'try' function must have exactly one argument", compiler.position(node)
        )
    value = compiler.compile(node.expressions[0])
    if value.refusing or value.aggregate or value.window:
        raise not_supported("TRY of this expression", compiler.position(node))
    return combine(f"TRY({value.sql})", value.type, value)


def boolean_result(call_: Call, sql: str) -> Typed:
    """A condition."""
    return call_.result(sql, types.BOOLEAN)
